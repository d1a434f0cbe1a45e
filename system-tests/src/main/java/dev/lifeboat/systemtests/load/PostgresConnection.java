// SPDX-License-Identifier: Apache-2.0
package dev.lifeboat.systemtests.load;

import java.io.BufferedInputStream;
import java.io.ByteArrayOutputStream;
import java.io.DataInputStream;
import java.io.DataOutputStream;
import java.io.EOFException;
import java.io.IOException;
import java.net.InetSocketAddress;
import java.net.Socket;
import java.nio.charset.StandardCharsets;

/**
 * One TCP connection speaking as much of PostgreSQL's protocol (version 3, the simple query) as a test needs: user
 * {@code postgres}, no password. It never connects again by itself.
 */
final class PostgresConnection implements AutoCloseable {

    private static final int PROTOCOL = 3 << 16;
    private static final int MAX_MESSAGE_BYTES = 1 << 20;

    private final Socket socket = new Socket();
    private final DataInputStream in;
    private final DataOutputStream out;

    PostgresConnection(String host, int port, int connectMillis, int replyMillis) throws IOException {
        try {
            socket.setTcpNoDelay(true);
            socket.connect(new InetSocketAddress(host, port), connectMillis);
            socket.setSoTimeout(replyMillis);
            in = new DataInputStream(new BufferedInputStream(socket.getInputStream()));
            out = new DataOutputStream(socket.getOutputStream());
            byte[] parameters = "user\0postgres\0database\0postgres\0\0".getBytes(StandardCharsets.US_ASCII);
            out.write(message(PROTOCOL, parameters));
            awaitReady();
        } catch (IOException e) {
            socket.close();
            throw e;
        }
    }

    /** One write per message, so that it is one segment. */
    private static byte[] message(int first, byte[] rest) throws IOException {
        ByteArrayOutputStream bytes = new ByteArrayOutputStream();
        DataOutputStream data = new DataOutputStream(bytes);
        data.writeInt(8 + rest.length);
        data.writeInt(first);
        data.write(rest);
        return bytes.toByteArray();
    }

    /**
     * Runs one statement; when this returns it is committed.
     *
     * @return the first column of the last row, empty when there was none
     */
    String query(String sql) throws IOException {
        byte[] text = (sql + "\0").getBytes(StandardCharsets.UTF_8);
        ByteArrayOutputStream bytes = new ByteArrayOutputStream();
        DataOutputStream data = new DataOutputStream(bytes);
        data.writeByte('Q');
        data.writeInt(4 + text.length);
        data.write(text);
        out.write(bytes.toByteArray());
        return awaitReady();
    }

    private String awaitReady() throws IOException {
        String value = "";
        String error = "";
        while (true) {
            int type = in.readUnsignedByte();
            int length = in.readInt() - 4;
            if (length < 0 || length > MAX_MESSAGE_BYTES) {
                throw new IOException("not a message of PostgreSQL: type " + type + ", " + length + " bytes");
            }
            byte[] body = in.readNBytes(length);
            if (body.length < length) {
                throw new EOFException("the server closed the connection inside a message");
            }
            switch (type) {
                case 'D' -> value = firstColumn(body);
                case 'E' -> error = new String(body, StandardCharsets.UTF_8).replace('\0', ' ');
                case 'R' -> requireNoPassword(body);
                case 'Z' -> {
                    if (!error.isEmpty()) {
                        throw new IOException("the server refused: " + error);
                    }
                    return value;
                }
                default -> {
                    // Parameters, the column's description, the count of rows: nothing that a test looks at.
                }
            }
            if (type == 'E' && error.contains("FATAL")) {
                throw new IOException("the server ended the connection: " + error);
            }
        }
    }

    private static String firstColumn(byte[] row) {
        // Number of columns (2), length of the first (4), its text.
        int length = (row[2] & 0xff) << 24 | (row[3] & 0xff) << 16 | (row[4] & 0xff) << 8 | row[5] & 0xff;
        return length < 0 ? "" : new String(row, 6, length, StandardCharsets.UTF_8);
    }

    private static void requireNoPassword(byte[] authentication) throws IOException {
        if (authentication.length < 4 || authentication[3] != 0) {
            throw new IOException("the server wants a password");
        }
    }

    @Override
    public void close() throws IOException {
        socket.close();
    }
}
