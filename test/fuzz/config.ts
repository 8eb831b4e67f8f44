import { mkdirSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { openArea } from "../../shared/area/area.ts";
import { homePolicy } from "../../shared/area/config/home-policy.ts";
import { readPolicies } from "../../shared/area/config/policies.ts";
import { readHomehost } from "../../shared/area/homehost.ts";
import { parsePayload } from "../../shared/contract/payload.ts";
import { JobsError } from "../../shared/errors.ts";
import type { MakeFuzz } from "./target.ts";

/** Between megatest.config and .homehost. */
const separator = "\n---\n";

/** Inputs to begin with. */
export const seeds = [
  `[fields]\nsysname TEXT\n[setup]\narea-name a1\nlinktree #{getenv HOME}/lt\n[reduce-records]
old target=%/%/%; runname=%; age=30d; keep=5; every=1d; state=COMPLETED; between=22:00-06:00; tz=Europe/Paris
new age=2y; compact=auto; max-time=2h; dead-after=3d; include-locked=yes; status=PASS\noff
[purge-records]\nold age=2y; export=/x\n[homehost]\nprefer host-a, host-b\nmigrate auto\nquiet-for 30m
[include x.config]\n[server]\nport 1${separator}10.0.0.1\n`,
  `[reduce-records]\na age=30d;keep=2\n[default]\nb #{get fields sysname}\n\tc\n${separator}host-a`,
  `[%x]\na 1\n[/y/]\nb #{shell false}${separator}host a`,
].map((text) => Buffer.from(text));

/** Reads both in bounded time, or refuses with an error that names the file; a policy requests a valid job. */
export const config: MakeFuzz = (directory) => {
  const path = join(directory, "a1");
  mkdirSync(path);
  writeFileSync(join(path, "megatest.db"), "");
  const unlessRefused = (read: () => unknown) => {
    try {
      read();
    } catch (error) {
      if (!(error instanceof JobsError) || !["bad-config", "outside-roots"].includes(error.code)) throw error;
      if (!error.message.includes(path) && !/^\[/.test(error.message))
        throw new Error(`names no file: ${error.message}`);
    }
  };
  return (data) => {
    if (data.length > 5000) return;
    const [text = "", homehost = ""] = data.toString("latin1").split(separator);
    writeFileSync(join(path, "megatest.config"), text, "latin1");
    writeFileSync(join(path, ".homehost"), homehost, "latin1");
    const started = performance.now();
    unlessRefused(() => {
      const area = openArea(path, { env: { HOME: "/nowhere" } });
      unlessRefused(() => readHomehost(area));
      unlessRefused(() => homePolicy(area.config));
      for (const job of ["reduce", "purge"] as const) {
        const { policies } = readPolicies(area.config, job);
        for (const { request } of policies)
          parsePayload(job, { v: 1, area: path, requestedBy: "ann", ...request });
      }
    });
    if (performance.now() - started > 2000) throw new Error("took more than 2 s");
  };
};
