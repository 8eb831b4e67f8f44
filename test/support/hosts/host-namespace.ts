import { type ChildProcess, execFileSync, spawn, spawnSync } from "node:child_process";
import { randomBytes } from "node:crypto";
import { mkdirSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { isRoot } from "../area/as-user.ts";
import { waitFor } from "../area/wait-for.ts";
import { builtProgram } from "../queue/built-program.ts";

const worker = builtProgram("test/support/queue/worker-process");

/** Returns true if this process may create hosts: root on Linux, with neither the code nor the areas in /tmp. */
export function mayMakeHosts(areasRoot: string): boolean {
  if (!isRoot || process.platform !== "linux") return false;
  if ([worker, areasRoot].some((path) => path.startsWith("/tmp/"))) return false;
  const probe = `mtj-${randomBytes(3).toString("hex")}`;
  const made = spawnSync("ip", ["netns", "add", probe]).status === 0;
  if (made) execFileSync("ip", ["netns", "del", probe]);
  return made && spawnSync("unshare", ["--mount", "--uts", "true"]).status === 0;
}

/** A host with its own name, address and /tmp, linked to the test's machine. */
export class HostNamespace {
  readonly name: string;
  /** The resolver's second address for its name; the first is the one that many systems have in `/etc/hosts`. */
  readonly address: string;
  /** The other end of its link. */
  readonly gateway: string;
  readonly tmp: string;
  readonly #netns = `mtj-${randomBytes(4).toString("hex")}`;
  readonly #hosts: string;
  readonly #workers: ChildProcess[] = [];

  /** @param root the test's directory, for the host's /tmp */
  constructor(name: string, root: string) {
    const [a = 0, b = 0] = randomBytes(2);
    this.name = name;
    this.gateway = `10.${100 + (a % 100)}.${b}.1`;
    this.address = `10.${100 + (a % 100)}.${b}.2`;
    this.tmp = join(root, `tmp-${name}`);
    this.#hosts = join(root, `hosts-${name}`);
    mkdirSync(this.tmp, { recursive: true });
    writeFileSync(this.#hosts, `127.0.0.1 localhost\n127.0.1.1 ${name}\n${this.address} ${name}\n`);
    const ip = (...args: string[]) => execFileSync("ip", args);
    ip("netns", "add", this.#netns);
    ip("link", "add", this.#netns, "type", "veth", "peer", "name", "eth0", "netns", this.#netns);
    ip("addr", "add", `${this.gateway}/30`, "dev", this.#netns);
    ip("link", "set", this.#netns, "up");
    ip("-n", this.#netns, "addr", "add", `${this.address}/30`, "dev", "eth0");
    for (const device of ["lo", "eth0"]) ip("-n", this.#netns, "link", "set", device, "up");
  }

  link(state: "up" | "down"): void {
    execFileSync("ip", ["link", "set", this.#netns, state]);
  }

  /** Starts its worker, with default name, address and /tmp, and waits until it serves. */
  async start(env: Record<string, string>): Promise<void> {
    const setUp = `hostname ${this.name} && mount --make-rprivate / && mount --bind ${this.#hosts} /etc/hosts &&
      mount --bind ${this.tmp} /tmp && exec ${process.execPath} ${worker}`;
    const args = ["netns", "exec", this.#netns, "unshare", "--mount", "--uts", "sh", "-c", setUp];
    const child = spawn("ip", args, {
      env: { PATH: process.env.PATH ?? "", HOME: this.tmp, ...env },
      stdio: ["ignore", "ignore", "pipe"],
    });
    this.#workers.push(child);
    let stderr = "";
    child.stderr.on("data", (chunk: Buffer) => (stderr += chunk.toString()));
    const serves = () => stderr.includes("serving the queue");
    await waitFor(`the worker of ${this.name}`, serves, { deadline: 40_000, state: () => stderr });
  }

  remove(): void {
    for (const child of this.#workers) child.kill("SIGKILL");
    spawnSync("ip", ["netns", "del", this.#netns]);
    spawnSync("ip", ["link", "del", this.#netns]);
  }
}
