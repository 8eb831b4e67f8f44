import { mkdirSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { expect, it, vi } from "vitest";
import { openArea } from "../../../shared/area/area.ts";
import { readAreaId } from "../../../shared/area/area-id.ts";
import { decodeFailure } from "../../../shared/contract/failure.ts";
import { areaIdLockKeys } from "../../../workers/locks/lock-keys.ts";
import { waitFor } from "../../support/area.ts";
import { homeOf, onHosts } from "../../support/hosts.ts";

vi.setConfig({ testTimeout: 120_000 });

it("a migration whose last part fails for good gives the lock on the area back, so that other jobs need not wait", () =>
  onHosts(async (hosts) => {
    const area = hosts.area();
    // The first migration of an area is number 1; it meets a divergent cache that cannot be read.
    const directory = join(area.directory, ".mtjobs", "migration", "1");
    mkdirSync(directory, { recursive: true });
    writeFileSync(
      join(directory, "stray-9.db"),
      "no database at all, but long enough to be taken for one\n".repeat(99),
    );
    await Promise.all([hosts.start("host-a"), hosts.start("host-b")]);
    const job = await hosts.end("host-b", await hosts.migrate(area, "host-b"));
    expect(decodeFailure(job.failedReason ?? "").code).toBe("corrupt");
    expect(homeOf(area)).toBe("10.9.0.2\n");
    const keys = areaIdLockKeys(hosts.stage.prefix, readAreaId(openArea(area.directory)));
    expect(keys).toHaveLength(1);
    const isFree = async () => (await hosts.stage.redis.exists(...keys)) === 0;
    await waitFor("the lock to be given back", isFree, { deadline: 5_000 });
  }));
