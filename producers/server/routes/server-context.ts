import type { Settings } from "../../../shared/settings/settings.ts";
import type { Session } from "../../jobs/session.ts";
import type { AreaPool } from "../area-pool/area-pool.ts";

export interface ServerContext {
  settings: Settings;
  session: Session;
  areaPool: AreaPool;
  /** Runs a call to Redis; an outage becomes `redis-unreachable`. */
  ask: <T>(work: () => Promise<T>) => Promise<T>;
}
