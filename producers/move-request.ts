import type { z } from "zod";
import { type Area, openAllowedArea } from "../shared/area/area.ts";
import { currentUser } from "../shared/current-user.ts";
import type { MoveName, MovePayload, payloadSchemas } from "../shared/queue/payload.ts";
import type { Settings } from "../shared/settings.ts";
import { areaPath } from "./area-path.ts";

/** A job as a caller asks for it: the payload without what is filled in for everybody. */
export type MoveRequest<Name extends MoveName> = Omit<
  z.input<(typeof payloadSchemas)[Name]>,
  "v" | "requestedBy"
>;

/** A job that may be enqueued or run. */
export interface CheckedRequest {
  name: MoveName;
  payload: MovePayload;
  area: Area;
}

/** Where and as whom a request is checked. */
export interface RequestPlace {
  settings: Settings;
  /** Where a relative path begins. */
  cwd: string;
  env: NodeJS.ProcessEnv;
  /** Who asks, where that is not the user of this process. */
  requestedBy?: string | undefined;
}

/**
 * Checks a request before anything is sent or touched. The area's path is made absolute but keeps its links:
 * Megatest names the caches after the path as users give it.
 *
 * @throws {JobsError} `usage`, `bad-payload`, `not-an-area`, `outside-roots`, `bad-config`
 */
export async function checkRequest<Name extends MoveName>(
  name: Name,
  request: MoveRequest<Name>,
  place: RequestPlace,
): Promise<CheckedRequest> {
  const [checked] = await checkAll([{ name, request }], place);
  return checked as CheckedRequest;
}

/** Checks many at once, as `checkRequest` does each; an area that many are about is opened once. */
export async function checkAll(
  requests: readonly { name: MoveName; request: MoveRequest<MoveName> }[],
  { settings, cwd, env, requestedBy = requester(settings) }: RequestPlace,
): Promise<CheckedRequest[]> {
  const { parsePayload } = await schemas();
  const areas = new Map<string, Area>();
  return requests.map(({ name, request }) => {
    const payload = parsePayload(name, { ...request, v: 1, area: areaPath(cwd, request.area), requestedBy });
    const area = areas.get(payload.area) ?? openAllowedArea(payload.area, settings, env);
    areas.set(payload.area, area);
    return { name, payload, area };
  });
}

/** The members of the data of the job `name`. */
export async function payloadMembers(name: MoveName): Promise<string[]> {
  return Object.keys((await schemas()).payloadSchemas[name].shape);
}

/** Loaded here alone, and with zod: most commands ask for no job. */
const schemas = () => import("../shared/queue/payload.ts");

/** Who asks, `user@host`: the user of this process, who need not be the one whose caches are worked on. */
export function requester({ host }: Settings): string {
  return `${currentUser().username}@${host}`;
}
