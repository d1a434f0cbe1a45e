// SPDX-License-Identifier: Apache-2.0
package dev.lifeboat.store;

import java.net.URI;
import java.time.Duration;
import java.util.Map;
import java.util.Optional;
import java.util.regex.Matcher;
import java.util.regex.Pattern;
import software.amazon.awssdk.core.SdkBytes;
import software.amazon.awssdk.core.exception.SdkException;
import software.amazon.awssdk.http.urlconnection.UrlConnectionHttpClient;
import software.amazon.awssdk.regions.Region;
import software.amazon.awssdk.services.kms.KmsClient;
import software.amazon.awssdk.services.kms.KmsClientBuilder;
import software.amazon.awssdk.services.kms.model.IncorrectKeyException;
import software.amazon.awssdk.services.kms.model.InvalidCiphertextException;
import software.amazon.awssdk.services.kms.model.KmsException;

/**
 * Wraps data keys with a symmetric key of AWS KMS: the service encrypts and decrypts 32 bytes, with the VM's id as
 * encryption context. A client lives for one call, because a VM needs one in its life. Thread-safe.
 */
final class KmsKeyWrapper implements KeyWrapper {
    static final String SCHEME = "aws-kms:";

    private static final Pattern ARN =
            Pattern.compile("arn:aws[a-z-]*:kms:([a-z0-9-]+):[0-9]{12}:(key|alias)/[A-Za-z0-9/_-]+");
    private static final Duration CALL_LIMIT = Duration.ofSeconds(20);
    private static final Duration ATTEMPT_LIMIT = Duration.ofSeconds(6);

    private final String arn;
    private final Region region;
    private final Optional<URI> endpoint;

    private KmsKeyWrapper(String arn, Region region, Optional<URI> endpoint) {
        this.arn = arn;
        this.region = region;
        this.endpoint = endpoint;
    }

    static KmsKeyWrapper open(String url) {
        return open(url, Optional.empty());
    }

    /** @param endpoint instead of the region's own, for tests */
    static KmsKeyWrapper open(String url, Optional<URI> endpoint) {
        String arn = url.substring(SCHEME.length());
        Matcher matcher = ARN.matcher(arn);
        if (!matcher.matches()) {
            throw new StoreException("'" + url + "' names no key of AWS KMS: write its whole ARN, as in"
                    + " aws-kms:arn:aws:kms:eu-central-1:111122223333:key/1234abcd-...");
        }
        return new KmsKeyWrapper(arn, Region.of(matcher.group(1)), endpoint);
    }

    @Override
    public String kind() {
        return "aws-kms";
    }

    @Override
    public byte[] wrap(byte[] dataKey, String vmId) {
        try (KmsClient client = client()) {
            return client.encrypt(r -> r.keyId(arn)
                            .plaintext(SdkBytes.fromByteArray(dataKey))
                            .encryptionContext(context(vmId)))
                    .ciphertextBlob()
                    .asByteArray();
        } catch (SdkException e) {
            throw failure("cannot wrap the data key of VM " + vmId, e);
        }
    }

    @Override
    public byte[] unwrap(byte[] wrapped, String vmId) {
        try (KmsClient client = client()) {
            return client.decrypt(r -> r.keyId(arn)
                            .ciphertextBlob(SdkBytes.fromByteArray(wrapped))
                            .encryptionContext(context(vmId)))
                    .plaintext()
                    .asByteArray();
        } catch (IncorrectKeyException | InvalidCiphertextException e) {
            throw new WrongKeyException(
                    describe() + " is not the key that VM " + vmId + " is encrypted with; give the one it was started"
                            + " with",
                    e);
        } catch (SdkException e) {
            throw failure("cannot unwrap the data key of VM " + vmId, e);
        }
    }

    @Override
    public String describe() {
        return SCHEME + arn;
    }

    private static Map<String, String> context(String vmId) {
        return Map.of("lifeboat-vm", vmId);
    }

    private KmsClient client() {
        KmsClientBuilder builder = KmsClient.builder()
                .region(region)
                .httpClientBuilder(UrlConnectionHttpClient.builder())
                .overrideConfiguration(c -> c.apiCallTimeout(CALL_LIMIT).apiCallAttemptTimeout(ATTEMPT_LIMIT));
        endpoint.ifPresent(builder::endpointOverride);
        return builder.build();
    }

    private StoreException failure(String attempt, SdkException e) {
        String where = attempt + " with " + describe() + ": ";
        if (e instanceof KmsException answer) {
            String code = answer.awsErrorDetails() == null
                    ? ""
                    : " " + answer.awsErrorDetails().errorCode();
            String advice = switch (code.strip()) {
                case "NotFoundException" -> "there is no such key; correct the ARN";
                case "DisabledException", "KMSInvalidStateException" ->
                    "the key is disabled or to be deleted; enable it again";
                default ->
                    answer.statusCode() >= 500
                            ? "the service fails; try again"
                            : "check the credentials, and that the key's policy allows kms:Encrypt and"
                                    + " kms:Decrypt";
            };
            return new StoreException(where + "refused (" + answer.statusCode() + code + "); " + advice, e);
        }
        if (String.valueOf(e.getMessage()).contains("credentials")) {
            return new StoreException(
                    where + "no credentials; set AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY, or give this machine a"
                            + " role",
                    e);
        }
        Throwable root = e;
        while (root.getCause() != null) {
            root = root.getCause();
        }
        return new StoreException(where + "the service cannot be reached (" + root + "); check the network to it", e);
    }
}
