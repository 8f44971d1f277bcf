import java.io.BufferedReader;
import java.io.FileInputStream;
import java.io.IOException;
import java.io.InputStream;
import java.io.InputStreamReader;
import java.net.InetSocketAddress;
import java.net.Socket;
import java.nio.charset.StandardCharsets;
import java.security.GeneralSecurityException;
import java.security.KeyStore;
import java.security.Principal;
import java.security.PrivateKey;
import java.security.cert.X509Certificate;
import java.util.HashMap;
import java.util.List;
import java.util.Map;
import javax.net.ssl.KeyManager;
import javax.net.ssl.KeyManagerFactory;
import javax.net.ssl.SNIHostName;
import javax.net.ssl.SSLContext;
import javax.net.ssl.SSLParameters;
import javax.net.ssl.SSLSocket;
import javax.net.ssl.TrustManager;
import javax.net.ssl.X509ExtendedKeyManager;
import javax.net.ssl.X509ExtendedTrustManager;
import javax.net.ssl.X509KeyManager;

/*
 * A client of JSSE: jobs on standard input, one a line, and a line of result for each. A job is
 *
 *     context  host  port  version  server name or -  keystore or -  chooses|obeys
 *
 * with tabs between. Jobs with one name of a context share it, and so the sessions in its cache.
 * Which certificate is sent "chooses" JSSE's own key manager, by the issuers that the server
 * names; one that "obeys" sends the keystore's whatever was asked for. The result is "echo" when
 * what was sent came back, else the exception.
 */
final class JavaClient {
    private static final char[] PASSWORD = "changeit".toCharArray();
    private static final byte[] SENT = "ping\n".getBytes(StandardCharsets.US_ASCII);
    private static final int PATIENCE_MS = 20000;

    private final Map<String, SSLContext> contexts = new HashMap<>();

    public static void main(String[] args) throws IOException {
        JavaClient client = new JavaClient();
        BufferedReader jobs = new BufferedReader(
            new InputStreamReader(System.in, StandardCharsets.UTF_8));

        System.out.println("ready");
        for (String job = jobs.readLine(); job != null; job = jobs.readLine()) {
            String said;
            try {
                said = client.run(job.split("\t"));
            } catch (IOException | GeneralSecurityException | RuntimeException e) {
                said = e.toString().replaceAll("\\s+", " ");
            }
            System.out.println(said);
        }
    }

    private String run(String[] job) throws IOException, GeneralSecurityException {
        String host = job[1];
        int port = Integer.parseInt(job[2]);
        SSLContext context = contexts.get(job[0]);

        if (context == null) {
            context = newContext(job[5], job[6].equals("obeys"));
            contexts.put(job[0], context);
        }
        try (Socket raw = new SomePort()) {
            raw.connect(new InetSocketAddress(host, port), PATIENCE_MS);
            raw.setSoTimeout(PATIENCE_MS);
            raw.setTcpNoDelay(true);
            SSLSocket tls = (SSLSocket) context.getSocketFactory().createSocket(
                raw, "gate", raw.getPort(), true);
            SSLParameters with = tls.getSSLParameters();
            with.setProtocols(new String[] { job[3] });
            with.setServerNames(job[4].equals("-") ? List.of() : List.of(new SNIHostName(job[4])));
            tls.setSSLParameters(with);
            return echo(tls);
        }
    }

    private static String echo(SSLSocket tls) throws IOException {
        tls.startHandshake();
        tls.getOutputStream().write(SENT);
        byte[] heard = tls.getInputStream().readNBytes(SENT.length);
        tls.close();
        return java.util.Arrays.equals(heard, SENT)
            ? "echo" : "ended after " + heard.length + " bytes";
    }

    private static SSLContext newContext(String keystore, boolean obeys)
            throws IOException, GeneralSecurityException {
        SSLContext context = SSLContext.getInstance("TLS");
        KeyManager[] keys = null;

        if (!keystore.equals("-")) {
            KeyStore store = KeyStore.getInstance("PKCS12");
            try (InputStream in = new FileInputStream(keystore)) {
                store.load(in, PASSWORD);
            }
            KeyManagerFactory made = KeyManagerFactory.getInstance(
                KeyManagerFactory.getDefaultAlgorithm());
            made.init(store, PASSWORD);
            keys = made.getKeyManagers();
            if (obeys)
                keys = new KeyManager[] {
                    new Obedient((X509KeyManager) keys[0], store.aliases().nextElement())
                };
        }
        context.init(keys, new TrustManager[] { new Trusting() }, null);
        return context;
    }

    /* JSSE keeps sessions by host and port: with these, one is offered at every address. */
    private static final class SomePort extends Socket {
        @Override
        public int getPort() {
            return 443;
        }
    }

    /* Sends its one certificate, whatever is asked for. */
    private static final class Obedient extends X509ExtendedKeyManager {
        private final X509KeyManager keys;
        private final String alias;

        Obedient(X509KeyManager keys, String alias) {
            this.keys = keys;
            this.alias = alias;
        }

        @Override
        public String chooseClientAlias(String[] types, Principal[] issuers, Socket socket) {
            String ours = getPrivateKey(alias).getAlgorithm();
            for (String type : types)
                if (type.equals(ours))
                    return alias;
            return null;
        }

        @Override
        public String[] getClientAliases(String type, Principal[] issuers) {
            return new String[] { alias };
        }

        @Override
        public X509Certificate[] getCertificateChain(String name) {
            return keys.getCertificateChain(name);
        }

        @Override
        public PrivateKey getPrivateKey(String name) {
            return keys.getPrivateKey(name);
        }

        @Override
        public String[] getServerAliases(String type, Principal[] issuers) {
            return null;
        }

        @Override
        public String chooseServerAlias(String type, Principal[] issuers, Socket socket) {
            return null;
        }
    }

    /* The server is not what these tests are about. */
    private static final class Trusting extends X509ExtendedTrustManager {
        @Override
        public void checkClientTrusted(X509Certificate[] chain, String type) { }

        @Override
        public void checkServerTrusted(X509Certificate[] chain, String type) { }

        @Override
        public void checkClientTrusted(X509Certificate[] chain, String type, Socket s) { }

        @Override
        public void checkServerTrusted(X509Certificate[] chain, String type, Socket s) { }

        @Override
        public void checkClientTrusted(X509Certificate[] chain, String type,
                                       javax.net.ssl.SSLEngine e) { }

        @Override
        public void checkServerTrusted(X509Certificate[] chain, String type,
                                       javax.net.ssl.SSLEngine e) { }

        @Override
        public X509Certificate[] getAcceptedIssuers() {
            return new X509Certificate[0];
        }
    }
}
