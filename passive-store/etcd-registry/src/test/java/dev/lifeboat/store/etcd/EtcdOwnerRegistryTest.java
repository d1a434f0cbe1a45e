// SPDX-License-Identifier: Apache-2.0
package dev.lifeboat.store.etcd;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import dev.lifeboat.store.FleetRegistry;
import dev.lifeboat.store.OwnerRegistries;
import dev.lifeboat.store.OwnerRegistrySuite;
import dev.lifeboat.store.StoreException;
import io.etcd.jetcd.ByteSequence;
import io.etcd.jetcd.Client;
import java.io.IOException;
import java.io.UncheckedIOException;
import java.nio.charset.StandardCharsets;
import java.nio.file.Path;
import java.util.Optional;
import java.util.concurrent.TimeUnit;
import org.junit.jupiter.api.AfterAll;
import org.junit.jupiter.api.BeforeAll;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

class EtcdOwnerRegistryTest extends OwnerRegistrySuite {
    @TempDir
    static Path directory;

    private static EtcdServer server;
    private static int registries;

    @BeforeAll
    static void startServer() throws Exception {
        server = new EtcdServer(directory);
    }

    @AfterAll
    static void stopServer() {
        if (server != null) {
            server.close();
        }
    }

    @Override
    protected boolean passesForeignKeys() {
        return false;
    }

    @Override
    protected Disturbed open() throws Exception {
        // Each test under a prefix of its own.
        String prefix = "fleet/" + registries++;
        Line line = new Line(server.port());
        FleetRegistry registry = OwnerRegistries.open(
                "etcd://127.0.0.1:" + line.port() + "/" + prefix, Optional.empty(), Optional.empty());
        return new Disturbed() {
            @Override
            public FleetRegistry registry() {
                return registry;
            }

            @Override
            public void cutAnswers(int claims) {
                line.answersToCut.set(claims);
            }

            @Override
            public int answersToCut() {
                return line.answersToCut.get();
            }

            @Override
            public void slow(long millis) {
                line.slowMillis = millis;
            }

            @Override
            public void dead(boolean dead) {
                line.dead(dead);
            }

            @Override
            public void plantForeignKey(String key) {
                try (Client client = Client.builder()
                        .endpoints("http://127.0.0.1:" + server.port())
                        .build()) {
                    client.getKVClient()
                            .put(bytes(prefix + "/" + key), bytes("x"))
                            .get(10, TimeUnit.SECONDS);
                } catch (Exception e) {
                    throw new IllegalStateException(e);
                }
            }

            @Override
            public void close() {
                registry.close();
                try {
                    line.close();
                } catch (IOException e) {
                    throw new UncheckedIOException(e);
                }
            }
        };
    }

    private static ByteSequence bytes(String text) {
        return ByteSequence.from(text, StandardCharsets.UTF_8);
    }

    @Test
    void anUrlThatIsNoneIsRefusedWithTheRightForm() {
        for (String url :
                new String[] {"etcd://", "etcd://host", "etcd://host:x/p", "etcd://a:1/p?q", "etcd://u:p@h:1"}) {
            assertThatThrownBy(() -> OwnerRegistries.open(url, Optional.empty(), Optional.empty()))
                    .isInstanceOf(StoreException.class)
                    .hasMessageContaining("etcd://host:port[,host:port...]/prefix")
                    .hasMessageNotContaining("u:p");
        }
    }

    @Test
    void severalMembersAndNoPrefixAreUnderstood() {
        EtcdUrl url = EtcdUrl.parse("etcd://a:1,b:2");
        assertThat(url.endpoints()).containsExactly("http://a:1", "http://b:2");
        assertThat(url.key("vm/x")).isEqualTo("vm/x");
        assertThat(EtcdUrl.parse("etcd://a:1/p/q/").key("vm/x")).isEqualTo("p/q/vm/x");
    }
}
