import type { Settings } from "../../shared/settings.ts";
import type { Session } from "../session.ts";
import type { Desk } from "./desk.ts";

export interface ServerParts {
  settings: Settings;
  session: Session;
  desk: Desk;
  /** Runs a call to Redis; an outage becomes `redis-unreachable`. */
  ask: <T>(work: () => Promise<T>) => Promise<T>;
}
