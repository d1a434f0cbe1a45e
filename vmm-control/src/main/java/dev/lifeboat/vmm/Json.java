// SPDX-License-Identifier: Apache-2.0
package dev.lifeboat.vmm;

import com.fasterxml.jackson.core.JsonProcessingException;
import com.fasterxml.jackson.databind.DeserializationFeature;
import com.fasterxml.jackson.databind.JsonMappingException;
import com.fasterxml.jackson.databind.ObjectMapper;
import com.fasterxml.jackson.databind.exc.UnrecognizedPropertyException;
import com.fasterxml.jackson.databind.json.JsonMapper;
import com.fasterxml.jackson.datatype.jdk8.Jdk8Module;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.NoSuchFileException;
import java.nio.file.Path;

/** The one JSON mapper: records, optionals, unknown fields refused. Thread-safe. */
public final class Json {
    public static final ObjectMapper MAPPER = JsonMapper.builder()
            .addModule(new Jdk8Module())
            .enable(DeserializationFeature.FAIL_ON_TRAILING_TOKENS)
            .enable(DeserializationFeature.FAIL_ON_NULL_FOR_PRIMITIVES)
            .build();

    private Json() {}

    /**
     * Reads a configuration file.
     *
     * @throws IllegalArgumentException with one line: the file, the place and what is wrong with it
     */
    public static <T> T readFile(Path file, Class<T> type) {
        byte[] bytes;
        try {
            bytes = Files.readAllBytes(file);
        } catch (NoSuchFileException e) {
            throw new IllegalArgumentException("no configuration file at " + file, e);
        } catch (IOException e) {
            throw new IllegalArgumentException("cannot read " + file + ": " + e.getMessage(), e);
        }
        try {
            T value = MAPPER.readValue(bytes, type);
            if (value == null) {
                throw new IllegalArgumentException(file + " holds null, not a JSON object");
            }
            return value;
        } catch (IOException e) {
            throw new IllegalArgumentException(file + ": " + explain(e), e);
        }
    }

    /** One line for people about JSON that does not fit. */
    public static String explain(IOException e) {
        if (e instanceof UnrecognizedPropertyException unknown) {
            return "unknown field \"" + unknown.getPropertyName() + "\" (known: " + unknown.getKnownPropertyIds() + ")";
        }
        if (e.getCause() instanceof IllegalArgumentException refused) {
            return refused.getMessage();
        }
        if (e instanceof JsonMappingException mapping && !mapping.getPath().isEmpty()) {
            StringBuilder path = new StringBuilder();
            for (JsonMappingException.Reference step : mapping.getPath()) {
                String name = step.getFieldName();
                if (name == null) {
                    path.append('[').append(step.getIndex()).append(']');
                } else {
                    path.append(path.length() == 0 ? "" : ".").append(name);
                }
            }
            // Jackson's text for this one advises to change a Java setting.
            String problem = mapping.getOriginalMessage().startsWith("Cannot map `null` into type")
                    ? " is missing: a number or true/false"
                    : ": " + mapping.getOriginalMessage();
            return "field \"" + path + "\"" + problem;
        }
        if (e instanceof JsonProcessingException broken && broken.getLocation() != null) {
            return "not JSON at line " + broken.getLocation().getLineNr() + ", column "
                    + broken.getLocation().getColumnNr() + ": " + broken.getOriginalMessage();
        }
        return e.getMessage();
    }
}
