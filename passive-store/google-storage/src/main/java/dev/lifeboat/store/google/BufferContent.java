// SPDX-License-Identifier: Apache-2.0
package dev.lifeboat.store.google;

import com.google.api.client.http.AbstractInputStreamContent;
import dev.lifeboat.store.BufferInputStream;
import java.io.InputStream;
import java.nio.ByteBuffer;

/** The content of a buffer, from its position to its limit, sent from where it is; each try reads it anew. */
final class BufferContent extends AbstractInputStreamContent {
    private final ByteBuffer content;

    BufferContent(ByteBuffer content) {
        super("application/octet-stream");
        this.content = content.asReadOnlyBuffer();
    }

    @Override
    public InputStream getInputStream() {
        return new BufferInputStream(content.duplicate());
    }

    @Override
    public long getLength() {
        return content.remaining();
    }

    @Override
    public boolean retrySupported() {
        return true;
    }
}
