import { createHash } from "node:crypto";
import {
  chmodSync,
  copyFileSync,
  existsSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  renameSync,
  rmSync,
  symlinkSync,
  writeFileSync,
} from "node:fs";
import { homedir } from "node:os";
import { join } from "node:path";
import { variable } from "../support/area.ts";
import { writeRamDisk } from "./ram-disk.ts";
import { run, say, timed } from "./run.ts";

/** What every machine boots: a kernel, a first file system in memory, and a disk that no machine writes to. */
export interface MachineImage {
  kernel: string;
  ramDisk: string;
  disk: string;
}

/** Kept between runs. */
export const cacheDirectory =
  variable("MTJOBS_MACHINES_CACHE") || join(homedir(), ".cache", "mtjobs-machines");

const packages = [
  ...["systemd-sysv", "kmod", "iproute2", "procps", "xz-utils", "busybox-static"],
  ...["nfs-kernel-server", "nfs-common", "redis-server", "sqlite3"],
];
/** Started by the scenarios that need them. */
const services = ["redis-server", "nfs-server", "rpcbind", "nfs-blkmap", "e2scrub_reap"];
const agentUnit = `[Unit]
Description=runs what the test asks for

[Service]
ExecStart=/usr/local/lib/mtjobs-machine-agent
Restart=always

[Install]
WantedBy=multi-user.target
`;
const agent = readFileSync(new URL("agent.sh", import.meta.url), "utf8");

/**
 * Returns the image of the cache, or makes it: Debian 12 with systemd, NFS and Redis, all of Debian's packages.
 *
 * @throws Error without root, because debootstrap needs it
 */
export async function provideImage(): Promise<MachineImage> {
  // The recipe is the two files that make the image, and what they put into it.
  const recipe = ["machine-image.ts", "ram-disk.ts", "agent.sh"].map((name) =>
    readFileSync(new URL(name, import.meta.url)),
  );
  const digest = createHash("sha256");
  for (const text of recipe) digest.update(text);
  const directory = join(cacheDirectory, `debian-12-${digest.digest("hex").slice(0, 12)}`);
  if (!existsSync(directory)) await timed("making the image", () => makeImage(directory));
  else say(`uses the image ${directory}`);
  return {
    kernel: join(directory, "kernel"),
    ramDisk: join(directory, "ram-disk"),
    disk: join(directory, "disk"),
  };
}

async function makeImage(directory: string): Promise<void> {
  mkdirSync(cacheDirectory, { recursive: true });
  const work = mkdtempSync(join(cacheDirectory, "making-"));
  try {
    const tree = join(work, "tree");
    await run("debootstrap", ["--variant=minbase", `--include=${packages.join(",")}`, "bookworm", tree]);
    const kernel = await addKernel(tree);
    configure(tree);
    await run("chroot", [tree, "systemctl", "disable", ...services]);
    await run("chroot", [tree, "systemctl", "enable", "mtjobs-machine-agent"]);
    await run("chroot", [tree, "useradd", "--create-home", "--uid", "1000", "megatest"]);
    await run("chroot", [tree, "apt-get", "clean"]);
    const made = join(work, "made");
    mkdirSync(made);
    copyFileSync(join(tree, "boot", `vmlinuz-${kernel}`), join(made, "kernel"));
    writeRamDisk(join(made, "ram-disk"), tree, kernel);
    rmSync(join(tree, "boot"), { recursive: true });
    await makeDisk(join(made, "disk"), tree, "6G");
    for (const name of readdirSync(cacheDirectory).filter((name) => name.startsWith("debian-12-")))
      rmSync(join(cacheDirectory, name), { recursive: true });
    renameSync(made, directory);
  } finally {
    rmSync(work, { recursive: true, force: true });
  }
}

/** Makes an ext4 file system that holds a directory's files. It takes as much space as the files do. */
export async function makeDisk(path: string, tree: string, size: string): Promise<void> {
  await run("mke2fs", ["-q", "-F", "-t", "ext4", "-E", "root_owner=0:0", "-d", tree, path, size]);
}

/** Unpacks Debian's kernel for clouds, without what would make a boot loader and an initrd of it. */
async function addKernel(tree: string): Promise<string> {
  const depends = await run("chroot", [tree, "apt-cache", "depends", "linux-image-cloud-amd64"]);
  const [, name = ""] = /Depends: (linux-image-\S+)/.exec(depends) ?? [];
  // Its /lib is a directory, and that of the root directory a link.
  const script = `cd /tmp; apt-get download -q ${name}; dpkg -x linux-image-*.deb k
    mv k/boot/* /boot; mv k/lib/modules /usr/lib; rm -r k linux-image-*.deb`;
  await run("chroot", [tree, "sh", "-ec", script]);
  const kernel = name.replace("linux-image-", "");
  await run("chroot", [tree, "depmod", kernel]);
  return kernel;
}

function configure(tree: string): void {
  const write = (path: string, text: string, mode = 0o644) => {
    mkdirSync(join(tree, path, ".."), { recursive: true });
    writeFileSync(join(tree, path), text);
    chmodSync(join(tree, path), mode);
  };
  write("usr/local/lib/mtjobs-machine-agent", agent, 0o755);
  write("etc/systemd/system/mtjobs-machine-agent.service", agentUnit);
  write("etc/fstab", "/dev/vda / ext4 defaults 0 1\n");
  // Without an identity the first boot would enable every service.
  write("etc/machine-id", "5d3a1b6c0f2e4a7f9b8c7d6e5f4a3b2c\n");
  write("etc/hosts", "127.0.0.1 localhost\n10.7.0.1 server\n10.7.0.2 hosta\n10.7.0.3 hostb\n");
  write("etc/resolv.conf", "");
  rmSync(join(tree, "etc/hostname"), { force: true });
  rmSync(join(tree, "etc/systemd/system/getty.target.wants"), { recursive: true, force: true });
  for (const unit of ["getty.target", "serial-getty@ttyS0.service"])
    symlinkSync("/dev/null", join(tree, "etc/systemd/system", unit));
}
