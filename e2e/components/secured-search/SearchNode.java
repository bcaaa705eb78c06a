import java.nio.file.Files;
import java.nio.file.Path;
import java.util.Collection;
import java.util.List;
import java.util.concurrent.CountDownLatch;

import org.opensearch.Version;
import org.opensearch.common.settings.Settings;
import org.opensearch.env.Environment;
import org.opensearch.node.Node;
import org.opensearch.plugins.Plugin;
import org.opensearch.plugins.PluginInfo;

/** One OpenSearch node in this JVM, its modules and the security plugin taken from the class path. */
public final class SearchNode extends Node {
    private static final List<Class<? extends Plugin>> PARTS = List.of(
        org.opensearch.transport.Netty4ModulePlugin.class,
        org.opensearch.index.reindex.ReindexModulePlugin.class,
        org.opensearch.analysis.common.CommonAnalysisModulePlugin.class,
        org.opensearch.painless.PainlessModulePlugin.class,
        org.opensearch.index.mapper.MapperExtrasModulePlugin.class,
        org.opensearch.ingest.common.IngestCommonModulePlugin.class,
        org.opensearch.security.OpenSearchSecurityPlugin.class);

    private SearchNode(Environment environment, Collection<PluginInfo> parts) {
        super(environment, parts, true);
    }

    private static PluginInfo part(Class<? extends Plugin> type) {
        String java = Integer.toString(Runtime.version().feature());
        return new PluginInfo(type.getSimpleName(), "from the class path", Version.CURRENT.toString(), Version.CURRENT, java,
            type.getName(), null, List.of(), false);
    }

    /** Usage: SearchNode HTTP_PORT DATA_DIR [setting=value ...] */
    public static void main(String[] args) throws Exception {
        Path home = Path.of(args[1]).toAbsolutePath();
        Files.createDirectories(home.resolve("config"));
        Settings.Builder settings = Settings.builder()
            .put("path.home", home)
            .put("path.data", home.resolve("data"))
            .put("path.logs", home.resolve("logs"))
            .put("cluster.name", "secured-node")
            .put("node.name", "secured-node")
            .put("discovery.type", "single-node")
            .put("cluster.routing.allocation.disk.threshold_enabled", false)
            .put("network.host", "127.0.0.1")
            .put("http.port", args[0])
            .put("transport.port", "0");
        for (int i = 2; i < args.length; i++) {
            String[] setting = args[i].split("=", 2);
            settings.put(setting[0], setting[1]);
        }
        Environment environment = new Environment(settings.build(), home.resolve("config"));
        Node node = new SearchNode(environment, PARTS.stream().map(SearchNode::part).toList());
        CountDownLatch stopped = new CountDownLatch(1);
        Runtime.getRuntime().addShutdownHook(new Thread(() -> {
            try {
                node.close();
            } catch (Exception e) {
                e.printStackTrace();
            } finally {
                stopped.countDown();
            }
        }));
        node.start();
        stopped.await();
    }
}
