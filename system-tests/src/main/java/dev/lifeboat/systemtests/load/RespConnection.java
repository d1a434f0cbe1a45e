// SPDX-License-Identifier: Apache-2.0
package dev.lifeboat.systemtests.load;

import java.io.BufferedInputStream;
import java.io.BufferedOutputStream;
import java.io.EOFException;
import java.io.IOException;
import java.io.InputStream;
import java.io.OutputStream;
import java.net.InetSocketAddress;
import java.net.Socket;
import java.net.SocketException;
import java.nio.charset.StandardCharsets;

/**
 * One TCP connection speaking RESP2, the Redis protocol, with requests and replies apart so that several are under way.
 * It never connects again by itself: a client library's silent reconnect is exactly what must not go unseen here.
 */
final class RespConnection implements AutoCloseable {

    private final Socket socket = new Socket();
    private final InputStream in;
    private final OutputStream out;

    RespConnection(String host, int port, int connectMillis, int replyMillis) throws IOException {
        try {
            socket.setTcpNoDelay(true);
            socket.connect(new InetSocketAddress(host, port), connectMillis);
            socket.setSoTimeout(replyMillis);
            in = new BufferedInputStream(socket.getInputStream());
            out = new BufferedOutputStream(socket.getOutputStream(), 64 * 1024);
        } catch (IOException e) {
            socket.close();
            throw e;
        }
    }

    /** Queues a request; {@link #flush} sends. */
    void request(String... words) throws IOException {
        write("*" + words.length + "\r\n");
        for (String word : words) {
            write("$" + word.length() + "\r\n" + word + "\r\n");
        }
    }

    private void write(String ascii) throws IOException {
        out.write(ascii.getBytes(StandardCharsets.ISO_8859_1));
    }

    void flush() throws IOException {
        out.flush();
    }

    /**
     * The next reply: the text of a simple string, bulk string or number, null for a null bulk string.
     *
     * @throws RedisErrorException for an error reply; the connection stays usable
     */
    String reply() throws IOException {
        int type = in.read();
        if (type < 0) {
            throw new EOFException("the server closed the connection");
        }
        String line = line();
        switch (type) {
            case '+', ':' -> {
                return line;
            }
            case '-' -> throw new RedisErrorException(line);
            case '$' -> {
                int length = Integer.parseInt(line);
                if (length < 0) {
                    return null;
                }
                byte[] content = in.readNBytes(length + 2);
                if (content.length < length + 2) {
                    throw new EOFException("the server closed the connection inside a reply");
                }
                return new String(content, 0, length, StandardCharsets.ISO_8859_1);
            }
            default -> throw new IOException("not a RESP reply: byte " + type + " and \"" + line + "\"");
        }
    }

    private String line() throws IOException {
        StringBuilder text = new StringBuilder();
        for (int next = in.read(); next != '\r'; next = in.read()) {
            if (next < 0) {
                throw new EOFException("the server closed the connection inside a reply");
            }
            text.append((char) next);
        }
        if (in.read() != '\n') {
            throw new IOException("not a RESP line end after \"" + text + "\"");
        }
        return text.toString();
    }

    /** Whether replies are already here, so that reading one does not wait. */
    boolean replyIsWaiting() throws IOException {
        return in.available() > 0;
    }

    void setReplyMillis(int millis) throws SocketException {
        socket.setSoTimeout(millis);
    }

    @Override
    public void close() throws IOException {
        socket.close();
    }

    /** The server answered with an error. */
    static final class RedisErrorException extends IOException {
        private static final long serialVersionUID = 1;

        RedisErrorException(String message) {
            super(message);
        }
    }
}
