import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, beforeAll, describe, expect, it, vi } from "vitest";
import { assertNothingLost, runsMachines, type Union } from "../support/area.ts";
import { readArea } from "./area-copy.ts";
import { Machine } from "./machine.ts";
import { makeDisk, provideImage } from "./machine-image.ts";
import { packProduct } from "./product.ts";
import { say, timed, until } from "./run.ts";

const minute = 60_000;
const units = ["mtjobs-worker", "mtjobs-server"];
const area = "/areas/samples/release";
/** The files where install.sh and systemd write. */
const listing =
  "find /etc /usr/local /var/lib/systemd /var/spool -xdev -not -type d -not -name random-seed | sort";

vi.setConfig({ testTimeout: 15 * minute, hookTimeout: 30 * minute });

/** One host as docs/deploy.md sets it up, with systemd as its first process; the tests follow one another. */
describe.skipIf(!runsMachines)("a host with systemd (a virtual machine)", () => {
  const directory = mkdtempSync(join(tmpdir(), "mtjobs-machines-"));
  let host: Machine;
  let before: Union;
  let filesBefore = "";

  beforeAll(async () => {
    const image = await provideImage();
    await makeDisk(join(directory, "product"), await packProduct(), "200M");
    host = new Machine({ name: "hosta", image, directory, disks: ["product"], processors: 2 });
    await host.boot();
  });
  afterAll(async () => {
    await host?.cutPower();
    rmSync(directory, { recursive: true, force: true });
  });

  const asOwner = (command: string) =>
    host.sh(`set -a; . /etc/mtjobs.env; set +a; runuser -u megatest -- mtjobs ${command}`);
  const show = (unit: string, properties: string) =>
    host.sh(`systemctl show --property=${properties} ${unit}`);
  const journal = (unit: string) => host.sh(`journalctl --unit ${unit} --output=cat --no-pager`);
  const failed = () => host.sh("systemctl --failed --no-legend --plain");

  /** Waits until both services say that they are well. The first look is a cheap one. */
  async function untilWell(): Promise<void> {
    for (const url of ["http://127.0.0.1:9464/metrics", "http://127.0.0.1:3111/healthz"]) {
      const look = `busybox wget -q -O /dev/null ${url} && mtjobs health --url ${url}`;
      await until(`${url} to answer`, async () => (await host.ask(look)).code === 0, {
        deadline: 4 * minute,
        state: async () => [await journal("mtjobs-worker"), await journal("mtjobs-server")],
      });
    }
  }

  /** Enqueues a job and waits until the worker is at its runs; resolves to its id. */
  async function enqueue(command: string): Promise<string> {
    const { jobId } = JSON.parse(await asOwner(`${command} --json`)) as { jobId: string };
    await until(
      `${jobId} to be at work`,
      async () =>
        (await journal("mtjobs-worker"))
          .split("\n")
          .some((line) => line.includes(jobId) && /to be checked|to restore/.test(line)),
      { deadline: 2 * minute, state: () => journal("mtjobs-worker") },
    );
    return jobId;
  }

  /** Waits until a job that a worker may only take up again has ended well. */
  async function finished(jobId: string): Promise<void> {
    const isDone = (line: string) => line.includes(jobId) && line.includes('"Done: ');
    await until(
      `${jobId} to be done`,
      async () => (await journal("mtjobs-worker")).split("\n").some(isDone),
      { deadline: 8 * minute, state: () => journal("mtjobs-worker") },
    );
    expect(JSON.parse(await asOwner(`job ${jobId} --json`))).toMatchObject({ state: "completed" });
  }

  const checkRecords = async () => assertNothingLost(before, await readArea(host, area, directory));

  it("is installed from the tarball by the commands of docs/deploy.md, and both services come up", async () => {
    await host.sh("systemctl enable --now redis-server; install -d -o megatest /areas");
    await host.sh("mkdir /root/product; mount -o ro /dev/vdb /root/product");
    await timed("tar -xf in the machine", () => host.sh("tar -xf /root/product/mtjobs-*.tar.xz -C /opt"));
    filesBefore = await host.sh(listing);
    await host.sh("/opt/mtjobs-*/install.sh --user megatest");
    await host.sh("runuser -u megatest -- mtjobs sample /areas/samples");
    before = await readArea(host, area, directory);
    expect(before.records.size).toBeGreaterThan(1_000);
    await host.sh("sed -i 's|^MTJOBS_AREAS=.*|MTJOBS_AREAS=/areas|' /etc/mtjobs.env");
    await timed("both services", async () => {
      await host.sh("systemctl enable --now mtjobs-worker mtjobs-server mtjobs-doctor.timer");
      await untilWell();
    });
    expect(await host.sh(`systemctl is-active ${units.join(" ")} mtjobs-doctor.timer`)).toBe(
      "active\nactive\nactive",
    );
    expect(await failed()).toBe("");
  });

  it("reduces and restores what commands enqueue, and no record is lost", async () => {
    expect(await asOwner(`reduce ${area} --age 90d --wait`)).toMatch(/moved \d\d runs/);
    await checkRecords();
    expect(await asOwner(`restore ${area} --runname % --grace 1s --wait`)).toMatch(/restored \d\d runs/);
    await checkRecords();
    expect(await journal("mtjobs-worker")).toMatch(/"job":"restore".*Done: restored \d+ runs/);
  });

  it("runs the services without privileges, in the real /tmp, at an exposure that systemd calls OK", async () => {
    for (const unit of units) {
      const pid = (await show(unit, "MainPID")).replace("MainPID=", "");
      const status = await host.sh(`grep -E '^(CapEff|CapBnd|NoNewPrivs|Seccomp):' /proc/${pid}/status`);
      expect(status.replaceAll(/\s+/g, " ")).toBe(
        "CapEff: 0000000000000000 CapBnd: 0000000000000000 NoNewPrivs: 1 Seccomp: 2",
      );
      expect(await host.sh(`nsenter --mount=/proc/${pid}/ns/mnt stat -c %i /tmp`)).toBe(
        await host.sh("stat -c %i /tmp"),
      );
    }
    for (const unit of [...units, "mtjobs-doctor"]) {
      const analysis = await host.sh(
        `systemd-analyze security --no-pager --threshold=39 ${unit}.service | tail -1`,
      );
      say(analysis);
      expect(analysis).toMatch(/: [\d.]+ OK/);
    }
  });

  it("checks the areas by mtjobs-doctor: 2 without a webhook, 0 if nothing is wrong, 1 if something is", async () => {
    const run = async () => {
      await host.ask("systemctl start mtjobs-doctor");
      return (await show("mtjobs-doctor", "Result,ExecMainStatus")).split("\n").sort();
    };
    expect(await run()).toEqual(["ExecMainStatus=2", "Result=exit-code"]);
    await host.sh("echo MTJOBS_WEBHOOK_URL=http://127.0.0.1:9/hook >> /etc/mtjobs.env");
    expect(await run(), await journal("mtjobs-doctor")).toEqual(["ExecMainStatus=0", "Result=success"]);
    await host.sh("echo no database > /areas/samples/fresh/completed-runs.db");
    expect(await run()).toEqual(["ExecMainStatus=1", "Result=exit-code"]);
    expect(await failed()).toMatch(/^mtjobs-doctor.service/);
    await host.sh("rm /areas/samples/fresh/completed-runs.db");
    expect(await run()).toEqual(["ExecMainStatus=0", "Result=success"]);
    expect(await journal("mtjobs-doctor")).toMatch(/^\/areas\/samples\/release: no problems$/m);
  });

  it("stops the worker within its time-out in the middle of a job, which goes on after the next start", async () => {
    const jobId = await enqueue(`reduce ${area} --age 90d`);
    const began = performance.now();
    await host.sh("systemctl stop mtjobs-worker");
    const seconds = (performance.now() - began) / 1000;
    say(`systemctl stop took ${seconds.toFixed(1)} s`);
    // TimeoutStopSec, after which systemd kills and the result is "timeout".
    expect(seconds).toBeLessThan(20);
    expect(await show("mtjobs-worker", "Result,ActiveState")).toBe("Result=success\nActiveState=inactive");
    expect(await failed()).toBe("");
    await host.sh("systemctl start mtjobs-worker");
    await finished(jobId);
    await checkRecords();
  });

  it("starts a worker that was killed outright again, which finishes its job", async () => {
    const jobId = await enqueue(`restore ${area} --runname % --grace 1s`);
    const restarts = async () => Number((await show("mtjobs-worker", "NRestarts")).replace(/.*=/, ""));
    const earlier = await restarts();
    await host.sh("systemctl kill --signal=KILL mtjobs-worker");
    await finished(jobId);
    expect(await restarts()).toBeGreaterThan(earlier);
    expect(await show("mtjobs-worker", "ActiveState")).toBe("ActiveState=active");
    await checkRecords();
  });

  it("brings the services back after a reboot, which clears /tmp, and a reduce works", async () => {
    await host.reboot();
    await timed("both services after the reboot", untilWell);
    // As on any host that clears /tmp: what Megatest had not synced is gone, and what is left must stay.
    expect(await host.sh("ls /tmp")).not.toMatch("megatest");
    before = await readArea(host, area, directory);
    expect(before.records.size).toBeGreaterThan(1_000);
    expect(await asOwner(`reduce ${area} --age 90d --wait`)).toMatch(/moved \d\d runs/);
    await checkRecords();
    expect(await failed()).toBe("");
  });

  it("is clean after uninstall.sh --purge: no unit, no file, no process, and the areas stay", async () => {
    await host.sh("/opt/mtjobs-*/uninstall.sh --purge");
    expect(await host.sh(listing)).toBe(filesBefore);
    expect(await host.sh("systemctl list-units --all --no-legend 'mtjobs-[wsd]*'")).toBe("");
    expect((await host.ask("pgrep -u megatest")).code).toBe(1);
    await checkRecords();
  });
});
