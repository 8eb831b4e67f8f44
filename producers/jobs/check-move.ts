import type { z } from "zod";
import { type Area, openAllowedArea } from "../../shared/area/area.ts";
import type { MoveName, MovePayload, payloadSchemas } from "../../shared/contract/payload.ts";
import { currentUser } from "../../shared/process.ts";
import type { Settings } from "../../shared/settings/settings.ts";
import { areaPath } from "../areas/area-path.ts";

/** A job as requested: the payload without the members that are always filled in. */
export type MoveRequest<Name extends MoveName> = Omit<
  z.input<(typeof payloadSchemas)[Name]>,
  "v" | "requestedBy"
>;

export interface CheckedRequest {
  name: MoveName;
  payload: MovePayload;
  area: Area;
}

/** The context in which a request is checked. */
export interface RequestPlace {
  settings: Settings;
  /** Base of relative paths. */
  cwd: string;
  env: NodeJS.ProcessEnv;
  /** The requester, if it is not the user of this process. */
  requestedBy?: string | undefined;
}

/**
 * Checks a request before it is sent. The area's path becomes absolute but keeps its symbolic links, because
 * Megatest names caches after the path that users give.
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

/** Checks many requests as `checkRequest` does; opens each area once. */
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

export async function payloadMembers(name: MoveName): Promise<string[]> {
  return Object.keys((await schemas()).payloadSchemas[name].shape);
}

/** Imported here because zod is slow to load, and most commands enqueue no job. */
const schemas = () => import("../../shared/contract/payload.ts");

/** Returns the requester, `user@host`: this process's user, who may differ from the owner of the caches. */
export function requester({ host }: Settings): string {
  return `${currentUser().username}@${host}`;
}
