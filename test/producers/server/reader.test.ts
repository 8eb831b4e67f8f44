import { chmodSync } from "node:fs";
import { join } from "node:path";
import { expect, it } from "vitest";
import type { Check } from "../../../producers/contract/area.ts";
import { healthyArea, isRoot, nobody } from "../../support/area.ts";
import { ask, onQueue, serverEnv, startServer } from "../../support/queue.ts";

it.runIf(isRoot)(
  "a server that may only read an area finds no fault in that, and says what it cannot see",
  () =>
    onQueue(async (stage) => {
      const area = healthyArea();
      chmodSync(join(area.directory, "../.."), 0o755);
      const env = { ...serverEnv(stage), MTJOBS_AREAS: area.directory, MTJOBS_HOST: area.host };
      const server = await startServer(env, [], { uid: nobody, gid: nobody });
      try {
        const path = encodeURIComponent(area.directory);
        const { body } = await ask(`${server.url}/api/v1/areas/by-path/doctor?path=${path}`);
        const { ok, checks } = body as { ok: boolean; checks: Check[] };
        expect(checks.filter((check) => check.ok === false)).toEqual([]);
        expect(ok).toBe(true);
        expect(checks.find(({ name }) => name === "owners")).toMatchObject({
          ok: null,
          verdict: expect.stringMatching(/^this server only reads the area .* is unknown$/),
          details: { code: "not-owner" },
        });
      } finally {
        server.child.kill("SIGTERM");
        await server.finished;
      }
    }),
);
