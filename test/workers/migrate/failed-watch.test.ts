import { expect, it, vi } from "vitest";
import { openArea } from "../../../shared/area/area.ts";
import { readAreaId } from "../../../shared/area/area-id.ts";
import { decodeFailure } from "../../../shared/contract/failure.ts";
import { areaIdLockKeys } from "../../../workers/locks/lock-keys.ts";
import { waitFor } from "../../support/area.ts";
import { homeOf, onHosts } from "../../support/hosts.ts";
import { openToWrite } from "../../support/queue.ts";

vi.setConfig({ testTimeout: 120_000 });

it("a migration whose last part fails for good gives the lock on the area back, so that other jobs need not wait", () =>
  onHosts(async (hosts) => {
    const area = hosts.area();
    await Promise.all([hosts.start("host-a"), hosts.start("host-b")]);
    await hosts.migrated("host-b", await hosts.migrate(area, "host-b"));
    openToWrite(area.megatestDb, (db) =>
      db.exec(`CREATE TRIGGER never BEFORE UPDATE ON mtjobs_migrations WHEN NEW.state = 'settled'
        BEGIN SELECT RAISE(ABORT, 'it never ends'); END`),
    );
    const job = await hosts.end("host-a", await hosts.migrate(area, "host-a"));
    const failure = decodeFailure(job.failedReason ?? "");
    expect(failure.code).toBe("unknown-schema");
    expect(failure.message).toContain(
      "the homehost has moved to 10.9.0.1, but the migration has not ended: ",
    );
    expect(homeOf(area)).toBe("10.9.0.1\n");
    const keys = areaIdLockKeys(hosts.stage.prefix, readAreaId(openArea(area.directory)));
    expect(keys).toHaveLength(1);
    const isFree = async () => (await hosts.stage.redis.exists(...keys)) === 0;
    await waitFor("the lock to be given back", isFree, { deadline: 5_000 });
  }));
