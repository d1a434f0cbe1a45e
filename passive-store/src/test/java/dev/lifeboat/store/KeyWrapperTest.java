// SPDX-License-Identifier: Apache-2.0
package dev.lifeboat.store;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import java.io.IOException;
import java.net.URI;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.nio.file.attribute.PosixFilePermissions;
import java.util.HexFormat;
import java.util.Optional;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.Timeout;
import org.junit.jupiter.api.io.TempDir;

@Timeout(60)
class KeyWrapperTest {
    private static final String ACCESS_KEY = "aws.accessKeyId";
    private static final String SECRET_KEY = "aws.secretAccessKey";

    @TempDir
    Path directory;

    private final byte[] dataKey = VmKey.random();

    @BeforeEach
    void giveCredentials() {
        System.setProperty(ACCESS_KEY, "test-access-key");
        System.setProperty(SECRET_KEY, "test-secret-key");
    }

    @AfterEach
    void takeCredentials() {
        System.clearProperty(ACCESS_KEY);
        System.clearProperty(SECRET_KEY);
    }

    /** @return its URL */
    static String keyFile(Path file, byte[] content) throws IOException {
        Files.createFile(file, PosixFilePermissions.asFileAttribute(PosixFilePermissions.fromString("rw-------")));
        Files.write(file, content);
        return "file:" + file;
    }

    @Test
    void aKeyFileOfBytesOrHexDigitsWrapsAndUnwraps() throws IOException {
        byte[] fileKey = VmKey.random();
        KeyWrapper raw = KeyWrapper.open(keyFile(directory.resolve("raw"), fileKey));
        KeyWrapper hex = KeyWrapper.open(keyFile(
                directory.resolve("hex"),
                (HexFormat.of().formatHex(fileKey) + "\n").getBytes(StandardCharsets.US_ASCII)));
        byte[] wrapped = raw.wrap(dataKey, "vm-1");
        assertThat(hex.unwrap(wrapped, "vm-1")).isEqualTo(dataKey);
        assertThat(raw.wrap(dataKey, "vm-1")).as("a fresh nonce each time").isNotEqualTo(wrapped);
        assertThat(new String(wrapped, StandardCharsets.ISO_8859_1))
                .doesNotContain(new String(dataKey, StandardCharsets.ISO_8859_1));
    }

    @Test
    void anotherFileKeyAnotherVmAndEveryBitFlipAreRefused() throws IOException {
        KeyWrapper right = KeyWrapper.open(keyFile(directory.resolve("right"), VmKey.random()));
        KeyWrapper wrong = KeyWrapper.open(keyFile(directory.resolve("wrong"), VmKey.random()));
        byte[] wrapped = right.wrap(dataKey, "vm-1");
        assertThatThrownBy(() -> wrong.unwrap(wrapped, "vm-1"))
                .isInstanceOf(WrongKeyException.class)
                .hasMessageContaining(directory.resolve("wrong") + " is not the key that VM vm-1 is encrypted with");
        assertThatThrownBy(() -> right.unwrap(wrapped, "vm-2")).isInstanceOf(WrongKeyException.class);
        for (int bit = 0; bit < 8 * wrapped.length; bit++) {
            byte[] flipped = wrapped.clone();
            flipped[bit / 8] ^= (byte) (1 << bit % 8);
            assertThatThrownBy(() -> right.unwrap(flipped, "vm-1")).isInstanceOf(WrongKeyException.class);
        }
        assertThatThrownBy(() -> right.unwrap(new byte[3], "vm-1")).isInstanceOf(WrongKeyException.class);
    }

    @Test
    void aKeyFileThatIsMissingOpenToOthersOrNoKeySaysWhatToDo() throws IOException {
        Path file = directory.resolve("key");
        assertThatThrownBy(() -> KeyWrapper.open("file:" + file))
                .hasMessageContaining("there is no key file " + file)
                .hasMessageContaining("/dev/urandom");
        String url = keyFile(file, "secret-text-that-is-no-key".getBytes(StandardCharsets.US_ASCII));
        assertThatThrownBy(() -> KeyWrapper.open(url))
                .hasMessageContaining("must hold 32 bytes, or 64 hex digits")
                .hasMessageNotContaining("secret-text")
                .hasNoCause();
        Files.write(file, VmKey.random());
        for (String open : new String[] {"rw-r-----", "rw----r--", "rw--w----"}) {
            Files.setPosixFilePermissions(file, PosixFilePermissions.fromString(open));
            assertThatThrownBy(() -> KeyWrapper.open(url))
                    .hasMessageContaining("open to others")
                    .hasMessageContaining("chmod 600 " + file);
        }
    }

    @Test
    void urlsThatNameNoKeyAreExplained() {
        assertThatThrownBy(() -> KeyWrapper.open("vault:x")).hasMessageContaining("file:/path or aws-kms:<key ARN>");
        assertThatThrownBy(() -> KeyWrapper.open("file:key")).hasMessageContaining("whole path");
        assertThatThrownBy(() -> KeyWrapper.open("aws-kms:my-key")).hasMessageContaining("whole ARN");
    }

    @Test
    void aKeyOfKmsWrapsAndUnwrapsForItsVmOnly() throws IOException {
        try (FakeKms kms = new FakeKms(FakeKms.arn("one"), FakeKms.arn("two"))) {
            KeyWrapper one = KmsKeyWrapper.open("aws-kms:" + FakeKms.arn("one"), kms.endpoint());
            byte[] wrapped = one.wrap(dataKey, "vm-1");
            assertThat(one.unwrap(wrapped, "vm-1")).isEqualTo(dataKey);
            assertThatThrownBy(() -> one.unwrap(wrapped, "vm-2")).isInstanceOf(WrongKeyException.class);
            KeyWrapper two = KmsKeyWrapper.open("aws-kms:" + FakeKms.arn("two"), kms.endpoint());
            assertThatThrownBy(() -> two.unwrap(wrapped, "vm-1"))
                    .isInstanceOf(WrongKeyException.class)
                    .hasMessageContaining("key/two is not the key that VM vm-1 is encrypted with");
        }
    }

    @Test
    void refusalsOfKmsSayWhatToDo() throws IOException {
        try (FakeKms kms = new FakeKms(FakeKms.arn("one"))) {
            KeyWrapper absent = KmsKeyWrapper.open("aws-kms:" + FakeKms.arn("absent"), kms.endpoint());
            assertThatThrownBy(() -> absent.wrap(dataKey, "vm-1"))
                    .hasMessageContaining("there is no such key; correct the ARN");
            KeyWrapper one = KmsKeyWrapper.open("aws-kms:" + FakeKms.arn("one"), kms.endpoint());
            kms.fail(400);
            assertThatThrownBy(() -> one.wrap(dataKey, "vm-1"))
                    .hasMessageContaining("AccessDenied")
                    .hasMessageContaining("key's policy allows");
            kms.fail(500);
            assertThat(one.unwrap(one.wrap(dataKey, "vm-1"), "vm-1"))
                    .as("the SDK tries again")
                    .isEqualTo(dataKey);
            takeCredentials();
            Optional<URI> endpoint = kms.endpoint();
            System.setProperty("aws.profile", "there-is-no-such-profile");
            System.setProperty("aws.disableEc2Metadata", "true");
            try {
                assertThatThrownBy(() -> KmsKeyWrapper.open("aws-kms:" + FakeKms.arn("one"), endpoint)
                                .wrap(dataKey, "vm-1"))
                        .hasMessageContaining("no credentials; set AWS_ACCESS_KEY_ID");
            } finally {
                System.clearProperty("aws.profile");
                System.clearProperty("aws.disableEc2Metadata");
            }
        }
    }
}
