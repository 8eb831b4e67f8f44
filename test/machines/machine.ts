import { type ChildProcessWithoutNullStreams, spawn } from "node:child_process";
import { once } from "node:events";
import { existsSync, readFileSync } from "node:fs";
import { connect } from "node:net";
import { join } from "node:path";
import { createInterface } from "node:readline";
import { waitFor } from "../support/area.ts";
import type { MachineImage } from "./machine-image.ts";
import { run, say } from "./run.ts";

export interface MachineOptions {
  name: string;
  image: MachineImage;
  /** For its disk, its console and its sockets. */
  directory: string;
  memoryMb?: number;
  processors?: number;
  /** File systems beside the root, read-only, as /dev/vdb and so on. */
  disks?: readonly string[];
  /** Options of qemu for its network cards. */
  network?: readonly string[];
}

export interface Answer {
  /** Undefined if the machine went down before the command had ended. */
  code: number | undefined;
  stdout: string;
  stderr: string;
}

const down: Answer = { code: undefined, stdout: "", stderr: "the machine went down" };
/** On two cores that also do other work. */
const bootMs = 300_000;

/** A virtual machine in software emulation, with a disk of its own on top of the image. */
export class Machine {
  readonly name: string;
  readonly #options: MachineOptions;
  #qemu: ChildProcessWithoutNullStreams | undefined;
  #asked = new Map<string, (answer: Answer) => void>();
  #count = 0;
  #ready = false;

  constructor(options: MachineOptions) {
    this.name = options.name;
    this.#options = options;
  }

  /** Starts it, with the disk that it had, and resolves when it takes commands. */
  async boot(): Promise<void> {
    if (this.#qemu !== undefined) throw new Error(`${this.name} is running`);
    const began = performance.now();
    const { directory, image } = this.#options;
    const disk = join(directory, `${this.name}.qcow2`);
    if (!existsSync(disk))
      await run("qemu-img", ["create", "-q", "-f", "qcow2", "-b", image.disk, "-F", "raw", disk]);
    this.#ready = false;
    this.#start(disk);
    await waitFor(`${this.name} to boot`, () => this.#ready, {
      deadline: bootMs,
      state: () => this.console().slice(-3000),
    });
    say(`${this.name} booted in ${((performance.now() - began) / 1000).toFixed(1)} s`);
  }

  #start(disk: string): void {
    const { directory, image, memoryMb = 1536, processors = 1, disks = [], network = [] } = this.#options;
    const drive = (file: string, options: string) => ["-drive", `file=${file},if=virtio,${options}`];
    const parameters = `console=ttyS0 mitigations=off net.ifnames=0 systemd.hostname=${this.name} rw quiet`;
    // The machine ends with this process.
    const qemu = spawn("setpriv", [
      ...["--pdeathsig", "KILL", "qemu-system-x86_64"],
      ...[
        "-accel",
        "tcg,thread=multi",
        "-M",
        "q35",
        "-cpu",
        "max",
        "-smp",
        String(processors),
        "-m",
        String(memoryMb),
      ],
      ...["-nodefaults", "-display", "none", "-no-reboot", "-rtc", "base=utc"],
      ...["-kernel", image.kernel, "-initrd", image.ramDisk, "-append", parameters],
      ...["-serial", `file:${this.#path("console")}`],
      ...["-qmp", `unix:${this.#path("qmp")},server=on,wait=off`],
      ...["-device", "virtio-serial-pci", "-chardev", "stdio,id=agent,signal=off"],
      ...["-device", "virtserialport,chardev=agent,name=agent", "-device", "virtio-rng-pci"],
      ...drive(disk, "format=qcow2,cache=writeback"),
      ...disks.flatMap((file) => drive(join(directory, file), "format=raw,readonly=on")),
      ...network,
    ]);
    this.#qemu = qemu;
    let errors = "";
    qemu.stderr.on("data", (chunk: Buffer) => {
      errors += chunk.toString();
    });
    createInterface({ input: qemu.stdout }).on("line", (line) => this.#read(line));
    qemu.on("close", () => {
      this.#qemu = undefined;
      if (errors !== "") say(`${this.name}: ${errors.trim()}`);
      for (const answer of this.#asked.values()) answer(down);
      this.#asked.clear();
    });
  }

  #path(name: string): string {
    return join(this.#options.directory, `${this.name}.${name}`);
  }

  #read(line: string): void {
    if (line.trim() === "ready") this.#ready = true;
    const [, id = "", status, stdout = "", stderr = ""] = /^(\d+) (\d+) (.*?)\.(.*?)\./.exec(line) ?? [];
    const text = (code: string) => Buffer.from(code, "base64").toString();
    this.#asked.get(id)?.({ code: Number(status), stdout: text(stdout), stderr: text(stderr) });
    this.#asked.delete(id);
  }

  /** Runs a script as root; resolves when it has ended, or the machine is down. */
  ask(script: string): Promise<Answer> {
    const qemu = this.#qemu;
    if (qemu === undefined) return Promise.resolve(down);
    const id = String(++this.#count);
    return new Promise((resolve) => {
      this.#asked.set(id, resolve);
      qemu.stdin.write(`${id} ${Buffer.from(script).toString("base64")}\n`);
    });
  }

  /** Runs a script that must succeed; resolves to its output without the end of the last line. */
  async sh(script: string): Promise<string> {
    const { code, stdout, stderr } = await this.ask(script);
    if (code !== 0) throw new Error(`${this.name}: ${script}\nended with ${code}: ${stdout}${stderr}`);
    return stdout.trimEnd();
  }

  /** What kernel and systemd printed since it started last. */
  console(): string {
    return existsSync(this.#path("console")) ? readFileSync(this.#path("console"), "latin1") : "";
  }

  /** Cuts the power: what the machine had not given to its disk is gone. */
  async cutPower(): Promise<void> {
    this.#qemu?.kill("SIGKILL");
    await this.untilDown();
  }

  /** Shuts it down in order, and starts it again. */
  async reboot(): Promise<void> {
    void this.ask("systemctl reboot");
    await this.untilDown();
    await this.boot();
  }

  async untilDown(): Promise<void> {
    if (this.#qemu !== undefined) await once(this.#qemu, "close");
  }

  /** Plugs a network card's cable in or out. */
  async setLink(card: string, up: boolean): Promise<void> {
    const socket = connect(this.#path("qmp"));
    const commands = [
      { execute: "qmp_capabilities" },
      { execute: "set_link", arguments: { name: card, up } },
      { execute: "query-status" },
    ];
    try {
      const lines = createInterface({ input: socket });
      for (const command of commands) socket.write(`${JSON.stringify(command)}\n`);
      for await (const line of lines) {
        if (line.includes('"error"')) throw new Error(`${this.name}: qemu answers ${line}`);
        if (line.includes('"running"')) return;
      }
    } finally {
      socket.destroy();
    }
  }
}
