import java.lang.management.ManagementFactory;
import java.util.concurrent.atomic.AtomicLong;
import javax.management.Notification;
import javax.management.NotificationBroadcasterSupport;
import javax.management.ObjectName;

/** A service that is managed as Cassandra is: attributes, operations with arguments and results,
    and notifications of what an operation does meanwhile. */
public class JmxService {
    public interface StorageMBean {
        long getFlushes();

        String[] flush(String keyspace, int tables);

        void repair(int steps);
    }

    public static class Storage extends NotificationBroadcasterSupport implements StorageMBean {
        private final AtomicLong flushes = new AtomicLong(), notes = new AtomicLong();

        @Override
        public long getFlushes() {
            return flushes.get();
        }

        @Override
        public String[] flush(String keyspace, int tables) {
            if (tables < 0)
                throw new IllegalArgumentException("no tables: " + tables);
            String[] done = new String[tables];
            for (int i = 0; i < tables; i++)
                done[i] = keyspace + ".t" + i;
            flushes.addAndGet(tables);
            return done;
        }

        /** It tells of each step, to whoever listens. */
        @Override
        public void repair(int steps) {
            for (int i = 0; i < steps; i++)
                sendNotification(new Notification("repair", "storage", notes.incrementAndGet()));
        }
    }

    public static void main(String[] args) throws Exception {
        ManagementFactory.getPlatformMBeanServer().registerMBean(
            new Storage(), new ObjectName("org.example:type=Storage"));
        System.out.println("ready");
        Thread.currentThread().join();
    }
}
