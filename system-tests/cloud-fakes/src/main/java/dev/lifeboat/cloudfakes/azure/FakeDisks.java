// SPDX-License-Identifier: Apache-2.0
package dev.lifeboat.cloudfakes.azure;

import static dev.lifeboat.cloudfakes.azure.AzureFake.required;

import com.fasterxml.jackson.databind.JsonNode;
import com.fasterxml.jackson.databind.ObjectMapper;
import com.fasterxml.jackson.databind.node.ArrayNode;
import com.fasterxml.jackson.databind.node.ObjectNode;
import java.util.ArrayList;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.Optional;

/** Managed disks. Under the fake's lock. */
final class FakeDisks {
    private static final ObjectMapper JSON = new ObjectMapper();

    private final Map<String, ObjectNode> disks = new LinkedHashMap<>();

    List<ObjectNode> all() {
        return List.copyOf(disks.values());
    }

    ObjectNode existing(String id) {
        return find(id).orElseThrow(() -> ArmError.notFound(id));
    }

    Optional<ObjectNode> find(String idOrName) {
        return disks.values().stream()
                .filter(each -> each.path("id").asText().equalsIgnoreCase(idOrName)
                        || each.path("name").asText().equalsIgnoreCase(idOrName))
                .findFirst();
    }

    /** Creates it, or changes what may be changed. */
    ObjectNode put(String name, JsonNode body) {
        required(body, "location");
        required(body, "sku.name");
        int size = required(body, "properties.diskSizeGB").asInt();
        if (!required(body, "properties.creationData.createOption").asText().equals("Empty")) {
            throw ArmError.invalid("only empty disks here");
        }
        String id = AzureFake.id("Microsoft.Compute", "disks", name);
        Optional<ObjectNode> old = find(id);
        if (old.isPresent() && old.get().at("/properties/diskSizeGB").asInt() > size) {
            throw new ArmError(409, "OperationNotAllowed", "Disk size cannot be reduced.");
        }
        ObjectNode disk = old.orElseGet(() -> (ObjectNode) body.deepCopy());
        disk.put("id", id).put("name", name).put("type", "Microsoft.Compute/disks");
        ObjectNode properties = (ObjectNode) disk.get("properties");
        properties.put("diskSizeGB", size).put("provisioningState", "Succeeded");
        if (!properties.has("diskState")) {
            properties.put("diskState", "Unattached");
        }
        disks.put(ArmPath.key(id), disk);
        return disk;
    }

    List<String> holders(ObjectNode disk) {
        List<String> all = new ArrayList<>();
        if (disk.hasNonNull("managedBy")) {
            all.add(disk.get("managedBy").asText());
        }
        disk.path("managedByExtended").forEach(each -> {
            if (!all.contains(each.asText())) {
                all.add(each.asText());
            }
        });
        return all;
    }

    void checkAttachable(ObjectNode disk, Machine machine) {
        List<String> holders = holders(disk);
        int shares = Math.max(1, disk.at("/properties/maxShares").asInt(1));
        if (!holders.contains(machine.id()) && holders.size() >= shares) {
            throw new ArmError(
                    409,
                    "ConflictingUserInput",
                    "Disk '" + disk.path("id").asText() + "' cannot be attached as the disk is already owned by VM '"
                            + holders.get(0) + "'.");
        }
        JsonNode zone = disk.at("/zones/0");
        if (!zone.isMissingNode()
                && !zone.asText().equals(machine.document.at("/zones/0").asText())) {
            throw new ArmError(
                    400,
                    "BadRequest",
                    "Disk " + disk.path("name").asText() + " is in another zone than " + machine.name() + ".");
        }
    }

    /** The same disk under the same number again changes nothing; what collides is refused. */
    void attach(ObjectNode disk, Machine machine, JsonNode request) {
        ArrayNode attached = (ArrayNode) machine.document.at("/properties/storageProfile/dataDisks");
        int lun = required(request, "lun").asInt();
        for (JsonNode each : attached) {
            boolean sameDisk = each.at("/managedDisk/id")
                    .asText()
                    .equalsIgnoreCase(disk.path("id").asText());
            boolean sameLun = each.path("lun").asInt() == lun;
            if (sameDisk && sameLun) {
                return;
            }
            if (sameDisk || sameLun) {
                throw new ArmError(
                        409,
                        "ConflictingUserInput",
                        "Cannot attach data disk '" + disk.path("name").asText() + "' at LUN " + lun
                                + ": the disk or the LUN is in use.");
            }
        }
        ObjectNode entry = attached.addObject()
                .put("lun", lun)
                .put("name", disk.path("name").asText());
        entry.put("createOption", "Attach")
                .put("caching", request.path("caching").asText("None"));
        entry.putObject("managedDisk").put("id", disk.path("id").asText());
        List<String> holders = holders(disk);
        if (!holders.contains(machine.id())) {
            holders.add(machine.id());
        }
        setHolders(disk, holders);
    }

    void detach(ObjectNode disk, Machine machine) {
        ArrayNode attached = (ArrayNode) machine.document.at("/properties/storageProfile/dataDisks");
        for (int i = attached.size() - 1; i >= 0; i--) {
            if (attached.get(i)
                    .at("/managedDisk/id")
                    .asText()
                    .equalsIgnoreCase(disk.path("id").asText())) {
                attached.remove(i);
            }
        }
        List<String> holders = holders(disk);
        holders.removeIf(each -> each.equalsIgnoreCase(machine.id()));
        setHolders(disk, holders);
    }

    void detachAll(Machine machine) {
        disks.values().forEach(disk -> detach(disk, machine));
    }

    private static void setHolders(ObjectNode disk, List<String> holders) {
        disk.remove(List.of("managedBy", "managedByExtended"));
        if (!holders.isEmpty()) {
            disk.put("managedBy", holders.get(0));
        }
        if (holders.size() > 1) {
            ArrayNode all = disk.putArray("managedByExtended");
            holders.forEach(all::add);
        }
        ((ObjectNode) disk.get("properties")).put("diskState", holders.isEmpty() ? "Unattached" : "Attached");
    }

    void delete(ObjectNode disk) {
        if (!holders(disk).isEmpty()) {
            throw new ArmError(
                    409,
                    "OperationNotAllowed",
                    "Disk " + disk.path("name").asText() + " is attached to VM "
                            + holders(disk).get(0) + ".");
        }
        disks.remove(ArmPath.key(disk.path("id").asText()));
    }

    void add(String name, int sizeGib, Map<String, String> tags) {
        ObjectNode body = JSON.createObjectNode().put("location", AzureFake.LOCATION);
        body.putObject("sku").put("name", "Premium_LRS");
        tags.forEach(body.putObject("tags")::put);
        body.putObject("properties")
                .put("diskSizeGB", sizeGib)
                .putObject("creationData")
                .put("createOption", "Empty");
        put(name, body);
    }
}
