import java.util.Arrays;
import java.util.List;
import java.util.Map;
import java.util.concurrent.ConcurrentHashMap;
import java.util.concurrent.CopyOnWriteArrayList;
import java.util.stream.Collectors;
import javax.management.MBeanServerConnection;
import javax.management.ObjectName;
import javax.management.openmbean.CompositeData;
import javax.management.remote.JMXConnector;
import javax.management.remote.JMXConnectorFactory;
import javax.management.remote.JMXServiceURL;

/** What jconsole and nodetool do, with nothing of TLS. A program for harness/jobs.py. */
public class JmxClients {
    static final Map<String, JMXConnector> connectors = new ConcurrentHashMap<>();
    static final Map<String, List<Long>> heard = new ConcurrentHashMap<>();

    /** For so long a service holds a connection that waits for notifications, though its client may
        be gone. It would be a minute. */
    static final Map<String, Object> SETTINGS = Map.of(
        "jmx.remote.x.notification.fetch.timeout", 1000L);

    static MBeanServerConnection mbeans(Map<String, String> f) throws Exception {
        return connectors.get(f.get("connection")).getMBeanServerConnection();
    }

    static ObjectName mbean(Map<String, String> f) throws Exception {
        return new ObjectName(f.get("mbean"));
    }

    static Map<String, Object> connect(Map<String, String> f) throws Exception {
        JMXServiceURL url = new JMXServiceURL(f.get("url"));
        connectors.put(f.get("connection"), JMXConnectorFactory.connect(url, SETTINGS));
        return Map.of("id", connectors.get(f.get("connection")).getConnectionId());
    }

    static String text(Object value) {
        return value instanceof Object[] ? Arrays.toString((Object[]) value)
             : value instanceof long[] ? Arrays.toString((long[]) value) : String.valueOf(value);
    }

    /** key: of an attribute that has several values. */
    static Map<String, Object> read(Map<String, String> f) throws Exception {
        Object value = mbeans(f).getAttribute(mbean(f), f.get("attribute"));
        return Map.of("value", text(f.get("key") == null ? value
                                    : ((CompositeData) value).get(f.get("key"))));
    }

    /** keyspace and tables, or steps: the arguments, if there are any. */
    static Map<String, Object> invoke(Map<String, String> f) throws Exception {
        Object[] args = {};
        String[] types = {};
        if (f.get("keyspace") != null) {
            args = new Object[] {f.get("keyspace"), Integer.parseInt(f.get("tables"))};
            types = new String[] {"java.lang.String", "int"};
        } else if (f.get("steps") != null) {
            args = new Object[] {Integer.parseInt(f.get("steps"))};
            types = new String[] {"int"};
        }
        return Map.of("value", text(mbeans(f).invoke(mbean(f), f.get("operation"), args, types)));
    }

    /** The threads of the service, with their stacks. */
    static Map<String, Object> threads(Map<String, String> f) throws Exception {
        Object[] args = {true, true};
        String[] types = {"boolean", "boolean"};
        CompositeData[] all = (CompositeData[]) mbeans(f).invoke(
            new ObjectName("java.lang:type=Threading"), "dumpAllThreads", args, types);
        return Map.of("names", Arrays.stream(all).map(t -> (String) t.get("threadName"))
            .collect(Collectors.joining(",")));
    }

    static Map<String, Object> listen(Map<String, String> f) throws Exception {
        List<Long> numbers = new CopyOnWriteArrayList<>();
        heard.put(f.get("connection"), numbers);
        mbeans(f).addNotificationListener(
            mbean(f), (note, handback) -> numbers.add(note.getSequenceNumber()), null, null);
        return Map.of();
    }

    static Map<String, Object> heard(Map<String, String> f) {
        return Map.of("numbers", heard.get(f.get("connection")).stream().map(String::valueOf)
            .collect(Collectors.joining(",")));
    }

    static Map<String, Object> close(Map<String, String> f) throws Exception {
        connectors.remove(f.get("connection")).close();
        return Map.of();
    }

    public static void main(String[] args) {
        JavaClients.serve(Map.of(
            "connect", JmxClients::connect, "read", JmxClients::read,
            "invoke", JmxClients::invoke, "threads", JmxClients::threads,
            "listen", JmxClients::listen, "heard", JmxClients::heard,
            "close", JmxClients::close));
    }
}
