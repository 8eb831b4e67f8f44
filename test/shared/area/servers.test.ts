import { execFileSync, spawn } from "node:child_process";
import { once } from "node:events";
import { readFileSync, symlinkSync, utimesSync } from "node:fs";
import { hostname } from "node:os";
import { join } from "node:path";
import { describe, expect, it, onTestFinished } from "vitest";
import { type Area, openArea } from "../../../shared/area/area.ts";
import { liveServers, serverText } from "../../../shared/area/servers.ts";
import type { MegatestServer } from "../../../shared/contract/area-facts.ts";
import { makeArea, temporaryDirectory, writeFile } from "../../support/area.ts";
import { holdOpen } from "../../support/queue.ts";

const now = Date.now();

function newArea(): Area {
  return openArea(makeArea(temporaryDirectory()));
}

function writeLog(area: Area, name: string, ageMs: number, text = ""): void {
  const time = (now - ageMs) / 1000;
  utimesSync(writeFile(join(area.realPath, "logs", name), text), time, time);
}

describe("an area's Megatest servers", () => {
  it("are none without a log directory", () => {
    expect(liveServers(newArea())).toEqual([]);
  });

  it("are live while their log was touched in the last 16 s, and tell address and start", () => {
    const area = newArea();
    const start = "starting\nSERVER STARTED: 10.1.2.3:4567 AT 1700000000.5\nmore\n";
    writeLog(area, "server-77-host-b.site.log", 15_900, start);
    writeLog(area, "server-78-hostB.log", 16_100, start);
    writeLog(area, "server-79-hostB.log", -60_000);
    expect(liveServers(area, now)).toMatchObject([
      { pid: 79, host: "hostB", state: "live", address: undefined, startedAt: undefined },
      { pid: 77, host: "host-b.site", state: "live", address: "10.1.2.3:4567", startedAt: 1_700_000_000_500 },
      { pid: 78, host: "hostB", state: "stale" },
    ]);
  });

  it("are named where their log is dated ahead by more than one is touched late", () => {
    const area = newArea();
    writeLog(area, "server-1-hostB.log", -3_600_000);
    writeLog(area, "server-2-hostB.log", -10_000);
    const [ahead, live] = liveServers(area, now);
    expect(ahead).toMatchObject({ pid: 1, state: "live", aheadMs: expect.closeTo(3_600_000, -2) });
    expect(live).toMatchObject({ pid: 2, state: "live" });
    expect(live).not.toHaveProperty("aheadMs");
    expect(serverText(ahead as MegatestServer)).toBe(
      "pid 1 on hostB, whose log is dated 60 minutes in the future",
    );
    expect(serverText(live as MegatestServer)).toBe("pid 2 on hostB");
  });

  it("are stale but alive where the log is old and the process, on this host, goes on", async () => {
    const area = newArea();
    const pid = await holdOpen(area.megatestDb);
    writeLog(area, `server-${pid}-hostA.log`, 300_000);
    writeLog(area, `server-${pid}-hostB.log`, 300_000);
    const states = liveServers(area, now, "hostA").map(({ host, state }) => [host, state]);
    expect(Object.fromEntries(states)).toEqual({ hostA: "stale-alive", hostB: "stale" });
  });

  it("are stale where the process ended", async () => {
    const area = newArea();
    const child = spawn("true");
    await once(child, "exit");
    writeLog(area, `server-${child.pid}-${hostname()}.log`, 300_000);
    expect(liveServers(area)).toMatchObject([{ state: "stale" }]);
  });

  it.runIf(process.platform === "linux")("are stale where a later process has got the number", async () => {
    const area = newArea();
    writeLog(area, `server-${await holdOpen(area.megatestDb)}-hostA.log`, 3_600_000);
    expect(liveServers(area, now, "hostA")).toMatchObject([{ state: "stale" }]);
  });

  it.runIf(process.platform === "linux")("are stale where the process is a zombie", async () => {
    const area = newArea();
    // The shell starts a child, prints its number, and becomes a program that never waits for it.
    const parent = spawn("sh", ["-c", "sleep 0.2 & echo $!; exec sleep 100"], {
      stdio: ["ignore", "pipe", "inherit"],
    });
    onTestFinished(() => void parent.kill("SIGKILL"));
    const [data] = (await once(parent.stdout, "data")) as [Buffer];
    const pid = Number(data.toString().trim());
    await expect.poll(() => readFileSync(`/proc/${pid}/status`, "utf8")).toMatch(/State:\s+Z/);
    writeLog(area, `server-${pid}-hostA.log`, 300_000);
    expect(liveServers(area, now, "hostA")).toMatchObject([{ state: "stale" }]);
  });

  it("are not read from other names, FIFOs or links", () => {
    const area = newArea();
    for (const name of ["server.log", "server-x-host.log", "server-1-host.log.gz", "other-1-host.log"]) {
      writeLog(area, name, 0);
    }
    execFileSync("mkfifo", [join(area.realPath, "logs/server-5-hostA.log")]);
    symlinkSync("/etc/passwd", join(area.realPath, "logs/server-6-hostA.log"));
    expect(liveServers(area)).toEqual([]);
  });

  it("are told from the first lines of a log of any size", () => {
    const area = newArea();
    writeLog(area, "server-7-hostB.log", 0);
    execFileSync("truncate", ["-s", "1T", join(area.realPath, "logs/server-7-hostB.log")]);
    expect(liveServers(area)).toMatchObject([{ pid: 7, address: undefined }]);
  });
});
