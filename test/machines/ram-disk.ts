import { readFileSync, writeFileSync } from "node:fs";
import { basename, join } from "node:path";
import { gzipSync } from "node:zlib";

/** What Debian's kernel for clouds lacks until they are loaded: the disk, the agent's port, and the network. */
const wanted = ["virtio_pci", "virtio_blk", "virtio_console", "virtio_net"];

/** The first program of a machine: loads modules, mounts the root file system, and starts systemd. */
const init = `#!/bin/busybox sh
/bin/busybox mkdir -p /proc /dev /root
/bin/busybox mount -t devtmpfs none /dev
/bin/busybox mount -t proc none /proc
for module in $(/bin/busybox cat /modules/order); do /bin/busybox insmod /modules/$module; done
tries=0
until [ -b /dev/vda ] || [ $tries -gt 100 ]; do /bin/busybox sleep 0.1; tries=$((tries + 1)); done
/bin/busybox mount -t ext4 /dev/vda /root || exec /bin/busybox sh
/bin/busybox umount /proc
/bin/busybox mount --move /dev /root/dev
exec /bin/busybox switch_root /root /sbin/init
`;

/** Writes the initial file system in memory: busybox, the modules of a root directory's kernel, and `init`. */
export function writeRamDisk(path: string, tree: string, kernel: string): void {
  const modules = join(tree, "lib", "modules", kernel);
  const order = inOrder(readFileSync(join(modules, "modules.dep"), "utf8"));
  const files: [string, number, Buffer][] = [
    ["bin", 0o40755, Buffer.alloc(0)],
    ["modules", 0o40755, Buffer.alloc(0)],
    ["bin/busybox", 0o100755, readFileSync(join(tree, "bin", "busybox"))],
    ["init", 0o100755, Buffer.from(init)],
    ["modules/order", 0o100644, Buffer.from(`${order.map((file) => basename(file)).join("\n")}\n`)],
  ];
  for (const file of order)
    files.push([`modules/${basename(file)}`, 0o100644, readFileSync(join(modules, file))]);
  writeFileSync(path, gzipSync(archive(files)));
}

/** The modules' files, each after those that it needs. */
function inOrder(dependencies: string): string[] {
  const needs = new Map<string, string[]>();
  for (const line of dependencies.split("\n")) {
    const [file = "", list = ""] = line.split(":");
    needs.set(file, list.trim() === "" ? [] : list.trim().split(" "));
  }
  const order: string[] = [];
  const add = (file: string): void => {
    for (const other of needs.get(file) ?? []) add(other);
    if (!order.includes(file)) order.push(file);
  };
  for (const name of wanted) {
    // One that is not there is built into the kernel.
    const found = [...needs.keys()].find((file) => basename(file) === `${name}.ko`);
    if (found !== undefined) add(found);
  }
  return order;
}

/** Packs files as the kernel reads them: the "new" format of cpio. */
function archive(files: readonly [string, number, Buffer][]): Buffer {
  const even = (data: Buffer) => Buffer.concat([data, Buffer.alloc((4 - (data.length % 4)) % 4)]);
  const entries = [...files, ["TRAILER!!!", 0, Buffer.alloc(0)] as const].map(([name, mode, data], index) => {
    const fields = [index + 1, mode, 0, 0, 1, 0, data.length, 0, 0, 0, 0, name.length + 1, 0];
    const header = `070701${fields.map((field) => field.toString(16).padStart(8, "0")).join("")}`;
    return Buffer.concat([even(Buffer.from(`${header}${name}\0`)), even(data)]);
  });
  return Buffer.concat(entries);
}
