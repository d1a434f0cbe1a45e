// SPDX-License-Identifier: Apache-2.0
package dev.lifeboat.control.agent;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;
import static org.assertj.core.api.Assertions.within;

import java.io.IOException;
import java.time.Instant;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.Timeout;

@Timeout(30)
class ImdsClientTest {
    /** Beyond the moment a test takes, and what the Date header's whole seconds can hide. */
    private static final long TOLERANCE_MS = 3_000;

    private final Instant deadline = Instant.now().plusSeconds(108);
    private final String notice = "{\"action\":\"terminate\",\"time\":\"" + deadline + "\"}";
    private FakeImds imds;
    private ImdsClient client;

    @BeforeEach
    void start() throws IOException {
        imds = new FakeImds();
        client = new ImdsClient(imds.url(), System::currentTimeMillis);
    }

    @AfterEach
    void stop() {
        imds.close();
    }

    @Test
    void oneTokenServesManyLooksAnd404MeansNothingIsPlanned() throws IOException {
        for (int i = 0; i < 5; i++) {
            assertThat(client.look()).isEmpty();
        }
        assertThat(imds.tokens).hasValue(1);
        assertThat(imds.looks).hasValue(5);
    }

    @Test
    void theNoticeCarriesActionAndDeadline() throws IOException {
        imds.notice = notice;
        assertThat(client.look()).contains(new SpotNotice("terminate", deadline.toEpochMilli(), 0));
    }

    @Test
    void anExpiredTokenIsReplacedOnceAndTheLookSucceeds() throws IOException {
        client.look();
        imds.validToken = "";
        imds.notice = notice;
        assertThat(client.look()).isPresent();
        assertThat(imds.tokens).hasValue(2);
    }

    @Test
    void aServiceThatRefusesEveryTokenIsAnErrorNotALoop() {
        imds.refuseEveryToken = true;
        assertThatThrownBy(() -> client.look())
                .isInstanceOf(IOException.class)
                .hasMessageContaining("refuses the token");
        assertThat(imds.looks).hasValue(2);
        assertThat(imds.tokens).hasValue(2);
    }

    @Test
    void errorsAndResetsAreReportedAndTheNextLookWorks() throws IOException {
        imds.failWith = 503;
        assertThatThrownBy(() -> client.look()).isInstanceOf(IOException.class).hasMessageContaining("503");
        imds.failWith = 0;
        assertThat(client.look()).isEmpty();
        imds.reset = true;
        assertThatThrownBy(() -> client.look()).isInstanceOf(IOException.class);
        imds.reset = false;
        imds.notice = notice;
        assertThat(client.look()).isPresent();
    }

    @Test
    void aCloudClockThatIsAheadMovesTheDeadlineIntoOurTime() throws IOException {
        ImdsClient behind = new ImdsClient(imds.url(), () -> System.currentTimeMillis() - 60_000);
        imds.notice = notice;
        SpotNotice found = behind.look().orElseThrow();
        assertThat(found.clockSkewMillis()).isCloseTo(60_000L, within(TOLERANCE_MS));
        assertThat(found.deadlineMillis()).isEqualTo(deadline.toEpochMilli() - found.clockSkewMillis());
    }

    @Test
    void aNoticeWithoutATimeWeCanReadIsActedOnWithin30Seconds() throws IOException {
        imds.notice = "{\"action\":\"hibernate\",\"time\":\"soon\"}";
        SpotNotice found = client.look().orElseThrow();
        assertThat(found.action()).isEqualTo("hibernate");
        assertThat(found.deadlineMillis()).isCloseTo(System.currentTimeMillis() + 30_000, within(TOLERANCE_MS));
    }

    @Test
    void anAnswerThatIsNoNoticeIsAnError() {
        imds.notice = "<html>captive portal</html>";
        assertThatThrownBy(() -> client.look()).isInstanceOf(IOException.class).hasMessageContaining("JSON");
        imds.notice = "{\"time\":\"2026-03-31T16:34:24Z\"}";
        assertThatThrownBy(() -> client.look())
                .isInstanceOf(IOException.class)
                .hasMessageContaining("without an action");
    }
}
