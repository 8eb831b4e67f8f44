import { cpSync, mkdirSync, mkdtempSync, readdirSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import getPort from "get-port";
import { builtProgram } from "../support/queue.ts";
import { clientProgram } from "./client.ts";
import { Machine } from "./machine.ts";
import { makeDisk, provideImage } from "./machine-image.ts";
import { packProduct } from "./product.ts";
import { run, say, until } from "./run.ts";

export type HostName = "hosta" | "hostb";
/** A version of NFS, and what else a host mounts the areas with. */
export type MountOptions = string;

export const addresses = { server: "10.7.0.1", hosta: "10.7.0.2", hostb: "10.7.0.3" };
/** Seconds that the server gives a client before its locks are void, and clients to reclaim theirs after its start. */
export const leaseS = 20;
/** Time for what three emulated machines on two cores do in a second or two on a real one. */
const patienceMs = 300_000;

/** A server with Redis that exports /areas, and two hosts with a worker and a /tmp each. */
export class Farm {
  readonly directory = mkdtempSync(join(tmpdir(), "mtjobs-machines-"));
  readonly #machines = new Map<string, Machine>();
  mount: MountOptions = "vers=4.2";

  get server(): Machine {
    return this.#machine("server");
  }

  host(name: HostName): Machine {
    return this.#machine(name);
  }

  #machine(name: string): Machine {
    const machine = this.#machines.get(name);
    if (machine === undefined) throw new RangeError(`no machine is called ${name}`);
    return machine;
  }

  /** Makes and boots the three machines. */
  async start(): Promise<void> {
    const image = await provideImage();
    const product = join(this.directory, "unpacked");
    const packed = await packProduct();
    mkdirSync(product);
    for (const name of readdirSync(packed)) await run("tar", ["-xf", join(packed, name), "-C", product]);
    const [top = ""] = readdirSync(product);
    cpSync(builtProgram("test/support/megatest/client-process"), join(product, top, "lib", clientProgram));
    await makeDisk(join(this.directory, "product"), product, "400M");
    rmSync(product, { recursive: true });
    const ports = await Promise.all([1, 2, 3, 4].map(() => getPort()));
    const [a = 0, b = 0, c = 0, d = 0] = ports;
    const add = (name: string, memoryMb: number, network: string[]) =>
      this.#machines.set(
        name,
        new Machine({ name, image, directory: this.directory, disks: ["product"], memoryMb, network }),
      );
    add("server", 768, [...card(0, "a1", a, b), ...card(1, "a2", c, d)]);
    add("hosta", 1536, card(0, "b1", b, a));
    add("hostb", 1536, card(0, "c1", d, c));
    await this.server.boot();
    await setUpServer(this.server);
    for (const name of ["hosta", "hostb"] as const) {
      await this.host(name).boot();
      await connect(this.host(name), name);
      await setUpHost(this.host(name));
      await this.join(name);
    }
  }

  /** After a boot of the server: its network, its exports, Redis. */
  async serve(): Promise<void> {
    await startServer(this.server);
  }

  /** After a boot of a host: its network, the areas, the worker. */
  async join(name: HostName): Promise<void> {
    const host = this.host(name);
    await connect(host, name);
    await host.sh(
      `mountpoint -q /areas || mount -t nfs -o ${this.mount},hard server:/areas /areas
       mountpoint -q /opt || mount -o ro /dev/vdb /opt
       systemctl start mtjobs-worker`,
    );
    await until(
      `the worker of ${name} to serve`,
      async () =>
        (await host.ask("journalctl -b -u mtjobs-worker -o cat | grep -q 'serving the queue'")).code === 0,
      { deadline: patienceMs, state: () => host.sh("journalctl -b -u mtjobs-worker -o cat | tail -20") },
    );
  }

  /** Mounts the areas anew on both hosts, with other options. */
  async remount(options: MountOptions): Promise<void> {
    say(`mounts the areas with ${options}`);
    this.mount = options;
    for (const name of ["hosta", "hostb"] as const) {
      await this.host(name).sh("systemctl stop mtjobs-worker; umount /areas");
      await this.join(name);
    }
  }

  async stop(): Promise<void> {
    for (const machine of this.#machines.values()) await machine.cutPower();
    rmSync(this.directory, { recursive: true, force: true });
  }
}

/** One end of a cable: it lasts while the machine at the other end is down. */
function card(index: number, mac: string, local: number, remote: number): string[] {
  const end = (name: string, port: number) => `${name}.type=inet,${name}.host=127.0.0.1,${name}.port=${port}`;
  return [
    ...["-netdev", `dgram,id=cable${index},${end("local", local)},${end("remote", remote)}`],
    ...["-device", `virtio-net-pci,netdev=cable${index},id=card${index},mac=52:54:00:00:00:${mac}`],
  ];
}

async function setUpServer(server: Machine): Promise<void> {
  await server.sh(
    `mkdir -p /areas; chown megatest /areas
     echo '/areas 10.7.0.0/24(rw,sync,no_subtree_check,fsid=7)' > /etc/exports
     printf '[nfsd]\\nlease-time=${leaseS}\\ngrace-time=${leaseS}\\nthreads=4\\n[lockd]\\ngrace-time=${leaseS}\\n' > /etc/nfs.conf
     cd /etc/redis; sed -i 's/^bind .*/bind 0.0.0.0/; s/^protected-mode .*/protected-mode no/; s/^appendonly .*/appendonly yes/' redis.conf
     sync`,
  );
  await startServer(server);
}

async function startServer(server: Machine): Promise<void> {
  await server.sh(
    `ip link add br0 type bridge; ip link set br0 up; ip addr add ${addresses.server}/24 dev br0
     for card in eth0 eth1; do ip link set $card master br0; ip link set $card up; done
     modprobe nfsd; systemctl start rpcbind nfs-server
     # After a power cut its file may end in zeros, with which Redis does not start.
     for log in /var/lib/redis/appendonlydir/*.manifest; do [ ! -e $log ] || echo y | redis-check-aof --fix $log; done
     systemctl start redis-server`,
  );
}

async function connect(host: Machine, name: HostName): Promise<void> {
  await host.sh(
    `ip link set eth0 up; ip addr replace ${addresses[name]}/24 dev eth0
     until (echo PING; sleep 1) | timeout 5 busybox nc server 6379 | grep -q PONG; do sleep 1; done`,
  );
}

/** Installs the product's units. The caches stay in /tmp over a boot, as they do on other systems than Debian. */
async function setUpHost(host: Machine): Promise<void> {
  await host.sh(
    `mkdir -p /areas; mount -o ro /dev/vdb /opt; /opt/mtjobs-*/install.sh --user megatest
     sed -i 's|^MTJOBS_AREAS=.*|MTJOBS_AREAS=/areas|; s|^MTJOBS_REDIS_URL=.*|MTJOBS_REDIS_URL=redis://server:6379|' /etc/mtjobs.env
     echo 'q /tmp 1777 root root 10d' > /etc/tmpfiles.d/tmp.conf
     sync`,
  );
}
