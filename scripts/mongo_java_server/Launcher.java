import de.bwaldvogel.mongo.MongoBackend;
import de.bwaldvogel.mongo.MongoServer;
import de.bwaldvogel.mongo.MongoVersion;
import de.bwaldvogel.mongo.backend.h2.H2Backend;
import de.bwaldvogel.mongo.backend.memory.MemoryBackend;
import de.bwaldvogel.mongo.bson.Document;
import de.bwaldvogel.mongo.wire.message.MongoMessage;
import java.io.IOException;
import java.util.List;
import java.util.Set;

/**
 * A server that speaks MongoDB's protocol on a free port of this machine, for tests.
 *
 * <p>Usage: {@code Launcher memory|h2 [FILE] [PORT]}. Prints {@code listening on PORT}, and ends when its standard input does,
 * so that it never outlives the test that started it.
 */
public final class Launcher {
    /** PyMongo takes no server below wire version 9; the commands used here are the same as those of 5.0. */
    private static final class Version implements MongoVersion {
        @Override
        public List<Integer> getVersionArray() {
            return List.of(5, 0, 0);
        }

        @Override
        public int getWireVersion() {
            return 13;
        }
    }

    /** Writes what it acknowledges to the file first, so that a kill loses nothing; by itself it does so once a second. */
    private static final class Durable extends H2Backend {
        private static final Set<String> WRITES =
                Set.of("insert", "update", "delete", "findAndModify", "createIndexes", "dropDatabase");

        Durable(String file) {
            super(file);
        }

        @Override
        public Document handleMessage(MongoMessage message) {
            Document answer = super.handleMessage(message);
            if (WRITES.contains(message.getDocument().keySet().iterator().next())) {
                commit();
            }
            return answer;
        }
    }

    public static void main(String[] arguments) throws IOException {
        boolean onDisk = arguments[0].equals("h2");
        int port = arguments.length > (onDisk ? 2 : 1) ? Integer.parseInt(arguments[onDisk ? 2 : 1]) : 0;
        MongoBackend backend = onDisk ? new Durable(arguments[1]) : new MemoryBackend();
        MongoServer server = new MongoServer(backend.version(new Version()));
        if (!onDisk) {
            // Change streams read it; H2's is kept in memory only and would not survive a restart.
            server.enableOplog();
        }
        server.bind("127.0.0.1", port);
        System.out.println("listening on " + server.getLocalAddress().getPort());
        System.out.flush();
        while (System.in.read() >= 0) {
            // Whatever is said, it goes on until the end.
        }
        server.shutdownNow();
        backend.close();
        System.exit(0);
    }
}
