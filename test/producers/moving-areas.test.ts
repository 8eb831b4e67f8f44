import { describe, expect, it } from "vitest";
import { type Hosts, homeOf, onHosts } from "../support/hosts.ts";
import { documentOf, runProgram } from "../support/queue.ts";

const run = ({ stage }: Hosts, ...args: string[]) =>
  runProgram(stage, args, { host: "host-z", areas: `${stage.root}/areas` });

describe("the commands with a worker on each host", () => {
  it(
    "drain a host of its areas, refuse it as a target, and tell of an area that is where it should be",
    () =>
      onHosts(async (hosts) => {
        const area = hosts.area();
        await hosts.start("host-a");
        await hosts.start("host-b");
        const drained = await run(hosts, "drain", "host-a", "--quiet-for", "0s", "--json");
        expect([drained.code, documentOf(drained)]).toMatchObject([
          0,
          {
            moved: [{ area: area.directory, to: "host-b" }],
            stayed: [],
            enqueued: [],
          },
        ]);
        expect(homeOf(area)).toBe("10.9.0.2\n");
        const { directory } = area;
        expect((await run(hosts, "migrate", directory, "--to", "host-a")).code).toBe(3);
        const there = await run(hosts, "migrate", directory, "--to", "host-b", "--wait");
        expect([there.code, there.stdout]).toEqual([
          0,
          expect.stringContaining("is already at home on host-b (10.9.0.2)"),
        ]);
        const status = await run(hosts, "status", directory);
        expect(status.stdout).toMatch(/^ +migrate-\w+ +completed .* migrated: from 10.9.0.1 to 10.9.0.2$/m);
        expect(documentOf(await run(hosts, "doctor", directory, "--json")).checks).toContainEqual(
          expect.objectContaining({ name: "migration", ok: true }),
        );
      }),
    120_000,
  );
});
