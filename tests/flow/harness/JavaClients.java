import java.io.DataInputStream;
import java.io.DataOutputStream;
import java.io.FileInputStream;
import java.io.IOException;
import java.net.URI;
import java.net.http.HttpClient;
import java.net.http.HttpRequest;
import java.net.http.HttpResponse;
import java.nio.ByteBuffer;
import java.nio.charset.StandardCharsets;
import java.security.KeyStore;
import java.security.cert.X509Certificate;
import java.time.Duration;
import java.util.Arrays;
import java.util.HashMap;
import java.util.Map;
import java.util.Scanner;
import java.util.concurrent.ConcurrentHashMap;
import java.util.concurrent.atomic.AtomicInteger;
import javax.net.ssl.KeyManagerFactory;
import javax.net.ssl.SSLContext;
import javax.net.ssl.SSLParameters;
import javax.net.ssl.SSLSession;
import javax.net.ssl.SSLSocket;
import javax.net.ssl.TrustManagerFactory;

/**
 * TLS clients as Java programs have them: stores of keytool, a socket, frames with their length
 * before them; or the HTTP client of the JDK. A program for harness/jobs.py.
 */
public class JavaClients {
    interface Job {
        Map<String, Object> run(Map<String, String> fields) throws Exception;
    }

    /** A connection that stays until it is closed. */
    static class Connection {
        final SSLSocket socket;
        final DataInputStream in;
        final DataOutputStream out;
        final AtomicInteger rounds = new AtomicInteger();
        volatile boolean hushed;

        Connection(SSLSocket socket) throws IOException {
            this.socket = socket;
            in = new DataInputStream(socket.getInputStream());
            out = new DataOutputStream(socket.getOutputStream());
        }

        /** One frame and its answer, which is the service's name and what it was told. */
        String round(String text, int size) throws IOException {
            byte[] said = Arrays.copyOf(text.getBytes(StandardCharsets.UTF_8),
                                        Math.max(size, text.length()));
            out.writeInt(said.length);
            out.write(said);
            out.flush();
            byte[] heard = new byte[in.readInt()];
            in.readFully(heard);
            int name = heard.length - said.length - 1;
            if (name < 1 || !Arrays.equals(heard, name + 1, heard.length, said, 0, said.length))
                throw new IOException("the answer is another: " + heard.length + " bytes");
            rounds.incrementAndGet();
            return new String(heard, 0, name, StandardCharsets.UTF_8);
        }
    }

    static final int PATIENCE = 20_000;
    static final Map<String, SSLContext> contexts = new ConcurrentHashMap<>();
    static final Map<String, Connection> connections = new ConcurrentHashMap<>();

    static KeyStore store(String type, String path, char[] password) throws Exception {
        KeyStore store = KeyStore.getInstance(type);
        try (FileInputStream in = new FileInputStream(path)) {
            store.load(in, password);
        }
        return store;
    }

    /** trust: a JKS truststore; keys: a PKCS#12 keystore, or none; password: of both. */
    static Map<String, Object> context(Map<String, String> f) throws Exception {
        char[] password = f.get("password").toCharArray();
        TrustManagerFactory trust = TrustManagerFactory.getInstance(
            TrustManagerFactory.getDefaultAlgorithm());
        trust.init(store("JKS", f.get("trust"), password));
        KeyManagerFactory keys = null;
        if (f.containsKey("keys")) {
            keys = KeyManagerFactory.getInstance(KeyManagerFactory.getDefaultAlgorithm());
            keys.init(store("PKCS12", f.get("keys"), password), password);
        }
        SSLContext context = SSLContext.getInstance("TLS");
        context.init(keys == null ? null : keys.getKeyManagers(), trust.getTrustManagers(), null);
        contexts.put(f.get("context"), context);
        return Map.of();
    }

    /** Dial, with the name checked as for HTTPS; tls: the only version, or the JDK's own choice. */
    static Map<String, Object> open(Map<String, String> f) throws Exception {
        SSLContext context = contexts.get(f.get("context"));
        SSLSocket socket = (SSLSocket) context.getSocketFactory().createSocket(
            f.get("host"), Integer.parseInt(f.get("port")));
        try {
            socket.setSoTimeout(PATIENCE);
            socket.setTcpNoDelay(true);
            SSLParameters parameters = socket.getSSLParameters();
            parameters.setEndpointIdentificationAlgorithm("HTTPS");
            if (f.containsKey("tls"))
                parameters.setProtocols(new String[] { f.get("tls") });
            socket.setSSLParameters(parameters);
            socket.startHandshake();
            connections.put(f.get("connection"), new Connection(socket));
        } catch (Exception e) {
            socket.close();
            throw e;
        }
        SSLSession session = socket.getSession();
        X509Certificate shown = (X509Certificate) session.getPeerCertificates()[0];
        return Map.of("tls", session.getProtocol(), "serial",
                      shown.getSerialNumber().toString(16).toUpperCase());
    }

    /** count rounds; or, with 0, as many as go until it is hushed. */
    static Map<String, Object> talk(Map<String, String> f) throws Exception {
        Connection c = connections.get(f.get("connection"));
        int count = Integer.parseInt(f.getOrDefault("count", "1"));
        int size = Integer.parseInt(f.getOrDefault("size", "0"));
        String service = null;
        for (int i = 0; count > 0 ? i < count : !c.hushed; i++) {
            String answers = c.round(f.get("text"), size);
            if (service != null && !service.equals(answers))
                throw new IOException(answers + " answers after " + service);
            service = answers;
        }
        return Map.of("service", service, "rounds", c.rounds);
    }

    static Map<String, Object> rounds(Map<String, String> f) {
        return Map.of("rounds", connections.get(f.get("connection")).rounds);
    }

    static Map<String, Object> hush(Map<String, String> f) {
        connections.get(f.get("connection")).hushed = true;
        return Map.of();
    }

    static Map<String, Object> close(Map<String, String> f) throws IOException {
        connections.remove(f.get("connection")).socket.close();
        return Map.of();
    }

    /** With a client of its own, which offers h2 and http/1.1. */
    static HttpResponse<byte[]> send(Map<String, String> f, HttpRequest.Builder request)
        throws Exception {
        HttpClient client = HttpClient.newBuilder().sslContext(contexts.get(f.get("context")))
            .proxy(HttpClient.Builder.NO_PROXY).connectTimeout(Duration.ofMillis(PATIENCE)).build();
        return client.send(request.uri(URI.create(f.get("url")))
                               .timeout(Duration.ofMillis(PATIENCE)).build(),
                           HttpResponse.BodyHandlers.ofByteArray());
    }

    static String text(byte[] bytes, int from) {
        return new String(bytes, from, bytes.length - from, StandardCharsets.UTF_8);
    }

    static Map<String, Object> http(Map<String, String> f) throws Exception {
        HttpResponse<byte[]> got = send(f, HttpRequest.newBuilder().header("Connection", "close"));
        return Map.of("status", got.statusCode(), "version", got.version(), "body",
                      text(got.body(), 0));
    }

    /** What a unary call of gRPC is. */
    static Map<String, Object> grpc(Map<String, String> f) throws Exception {
        byte[] text = f.get("text").getBytes(StandardCharsets.UTF_8);
        byte[] message = ByteBuffer.allocate(5 + text.length).put((byte) 0).putInt(text.length)
            .put(text).array();
        HttpResponse<byte[]> got = send(f, HttpRequest.newBuilder()
            .header("content-type", "application/grpc").header("te", "trailers")
            .POST(HttpRequest.BodyPublishers.ofByteArray(message)));
        return Map.of("version", got.version(), "answer", text(got.body(), 5));
    }

    /** The HTTP client of this JDK closes its connections when it is collected, and only then; it
        looks for that every few seconds. */
    static Map<String, Object> collect(Map<String, String> f) throws InterruptedException {
        System.gc();
        Thread.sleep(100);
        return Map.of();
    }

    static String line(String number, String word, Map<String, Object> fields) {
        StringBuilder line = new StringBuilder(number + "\t" + word);
        fields.forEach((k, v) -> line.append("\t" + k + "=" + v.toString().replaceAll("\\s+", " ")));
        return line.toString();
    }

    static void run(Job job, String number, Map<String, String> fields) {
        String said;
        try {
            said = line(number, "ok", job.run(fields));
        } catch (Throwable e) {
            said = line(number, "failed", Map.of("error", e.toString()));
        }
        synchronized (System.out) {
            System.out.println(said);
            System.out.flush();
        }
    }

    /** Do what each line asks for, until there are no more. */
    static void serve(Map<String, Job> jobs) {
        Scanner lines = new Scanner(System.in, StandardCharsets.UTF_8);
        while (lines.hasNextLine()) {
            String[] parts = lines.nextLine().split("\t");
            Map<String, String> fields = new HashMap<>();
            for (int i = 2; i < parts.length; i++) {
                String[] field = parts[i].split("=", 2);
                fields.put(field[0], field[1]);
            }
            Thread thread = new Thread(() -> run(jobs.get(parts[1]), parts[0], fields));
            thread.setDaemon(true);
            thread.start();
        }
        System.exit(0);
    }

    public static void main(String[] args) {
        serve(Map.of(
            "context", JavaClients::context, "open", JavaClients::open, "talk", JavaClients::talk,
            "rounds", JavaClients::rounds, "hush", JavaClients::hush, "close", JavaClients::close,
            "http", JavaClients::http, "grpc", JavaClients::grpc,
            "collect", JavaClients::collect));
    }
}
