// SPDX-License-Identifier: Apache-2.0
package dev.lifeboat.control.cli;

import static org.assertj.core.api.Assertions.assertThat;

import com.fasterxml.jackson.databind.JsonNode;
import dev.lifeboat.control.ExitCode;
import dev.lifeboat.vmm.Json;
import java.io.ByteArrayOutputStream;
import java.io.IOException;
import java.io.PrintStream;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.Timeout;
import org.junit.jupiter.api.io.TempDir;

@Timeout(60)
class CloudCommandTest {
    private static final String AWS =
            "{\"kind\": \"aws\", \"region\": \"eu-central-1\", \"options\": {\"subnet\": \"s-1\"}}";

    @TempDir
    Path directory;

    private final ByteArrayOutputStream out = new ByteArrayOutputStream();
    private final ByteArrayOutputStream err = new ByteArrayOutputStream();
    private PrintStream realOut;
    private PrintStream realErr;

    @BeforeEach
    void capture() {
        realOut = System.out;
        realErr = System.err;
        System.setOut(new PrintStream(out, true, StandardCharsets.UTF_8));
        System.setErr(new PrintStream(err, true, StandardCharsets.UTF_8));
    }

    @AfterEach
    void release() {
        System.setOut(realOut);
        System.setErr(realErr);
    }

    private String config(String cloud) throws IOException {
        String tls = "{\"authority\": \"a\", \"certificate\": \"b\", \"key\": \"c\"}";
        Path file = directory.resolve("controller.json");
        Files.writeString(
                file,
                "{\"host\": \"g\", \"listen\": \"127.0.0.1:0\", \"url\": \"https://127.0.0.1:1\","
                        + " \"enrollListen\": \"127.0.0.1:0\", \"enrollUrl\": \"https://127.0.0.1:2\", \"tls\": " + tls
                        + ", \"authorityDirectory\": \"tls\", \"stateDirectory\": \"state\", \"fleet\": \"fleet\""
                        + (cloud.isEmpty() ? "" : ", \"cloud\": " + cloud) + "}");
        return file.toString();
    }

    private void assertRefused(int code, String cloud, String... says) throws IOException {
        err.reset();
        assertThat(Main.run("cloud", "plan", "--memory", "128", "--config", config(cloud)))
                .isEqualTo(code);
        String text = err.toString(StandardCharsets.UTF_8);
        assertThat(text.lines()).hasSize(1);
        assertThat(text).contains(says);
    }

    @Test
    void thePlanNamesSizesInTheOrderOfTryingWithTheirPriceClass() throws IOException {
        assertThat(Main.run("cloud", "plan", "--memory", "128", "--config", config(AWS)))
                .isZero();
        assertThat(out.toString(StandardCharsets.UTF_8).lines())
                .hasSize(4)
                .anyMatch(line -> line.contains("on-demand") && line.contains("$0.1/h"))
                .element(1)
                .asString()
                .contains("spot", "m8i.large", "score  9");
        out.reset();
        assertThat(Main.run("cloud", "plan", "--memory", "128", "--json", "--config", config(AWS)))
                .isZero();
        JsonNode answer = Json.MAPPER.readTree(out.toByteArray());
        assertThat(answer.get(0).get("offers")).hasSize(3);
        assertThat(answer.get(0).get("offers").get(0).get("priceClass").asText())
                .isEqualTo("SPOT");
    }

    @Test
    void theDoctorNamesTheMissingPermission() throws IOException {
        assertThat(Main.run("cloud", "doctor", "--config", config(AWS))).isEqualTo(ExitCode.MISSING);
        assertThat(out.toString(StandardCharsets.UTF_8))
                .contains("works    buy spot hosts")
                .contains("missing  move routes")
                .contains("ec2:ReplaceRoute. Do: allow ec2:ReplaceRoute for this role");
    }

    @Test
    void aRehearsalTakesTheInstanceAway() throws IOException {
        assertThat(Main.run("cloud", "simulate", "i-1", "--config", config(AWS)))
                .isZero();
        assertThat(out.toString(StandardCharsets.UTF_8)).contains("aws takes i-1 away");
    }

    @Test
    void whatIsWrongWithTheCloudIsOneLineEach() throws IOException {
        assertRefused(ExitCode.USAGE, "", "has no \"cloud\"", "docs/clouds.md");
        assertRefused(ExitCode.USAGE, AWS.replace("aws", "oracle"), "\"cloud.kind\" is aws, azure or gcp, not oracle");
        assertRefused(ExitCode.USAGE, AWS.replace("eu-central-1", ""), "\"cloud.region\" is missing");
        assertRefused(ExitCode.USAGE, AWS.replace("eu-central-1", "mars-1"), "there is no region mars-1");
        assertRefused(ExitCode.USAGE, AWS.replace("subnet", "other"), "the aws settings lack \"subnet\"");
        assertRefused(
                ExitCode.USAGE,
                AWS.replace("aws", "azure"),
                "needs the library cloud-azure",
                "mvn -DskipTests -pl vmm-control/cloud-azure -am package");
        assertRefused(
                ExitCode.NOT_TRUSTED,
                AWS.replace("\"s-1\"", "\"s-1\", \"expired\": \"yes\""),
                "the credentials have expired; renew them");
    }

    @Test
    void aControllerFileWithAMistakeIsNamedWithThePlace() throws IOException {
        Path file = Files.writeString(directory.resolve("bad.json"), "{\n  \"host\": \"g\"\n}");
        assertThat(Main.run("controller", "--config", file.toString())).isEqualTo(ExitCode.USAGE);
        assertThat(err.toString(StandardCharsets.UTF_8)).contains("bad.json").contains("\"listen\" is missing");

        String whole = Files.readString(Path.of(config(AWS)));
        assertMistake(whole.replace("\"fleet\": \"fleet\"", "\"fleet\": \"fleet\", \"flete\": 1"), "flete");
        assertMistake(whole.replace("\"host\": \"g\"", "\"host\": \"g\", \"hosts\": 5"), "hosts");
        assertMistake(whole.replace("\"region\"", "\"regoin\""), "regoin");
    }

    private void assertMistake(String content, String place) throws IOException {
        err.reset();
        Path file = Files.writeString(directory.resolve("mistake.json"), content);
        assertThat(Main.run("controller", "--config", file.toString())).isEqualTo(ExitCode.USAGE);
        assertThat(err.toString(StandardCharsets.UTF_8).lines())
                .singleElement()
                .asString()
                .contains("mistake.json", place);
    }
}
