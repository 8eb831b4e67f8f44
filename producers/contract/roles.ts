/**
 * What a token may do: read; also enqueue and cancel jobs, and run SQL, for which Megatest's writers may have to wait;
 * also take over areas and change queues on the board.
 */
export const roles = ["read", "operate", "admin"] as const;
export type Role = (typeof roles)[number];

export const mayUse = (role: Role, needed: Role) => roles.indexOf(role) >= roles.indexOf(needed);

/** Returns true for a request that changes nothing. */
export const isReading = ({ method }: { method: string }) => ["GET", "HEAD", "OPTIONS"].includes(method);
