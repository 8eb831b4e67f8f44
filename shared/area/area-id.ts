import { randomUUID } from "node:crypto";
import { linkSync, renameSync, statSync, unlinkSync } from "node:fs";
import { join } from "node:path";
import { JobsError, systemCode } from "../errors.ts";
import { readBounded } from "../files/read-bounded.ts";
import { syncDirectory } from "../files/sync-directory.ts";
import type { Area } from "./area.ts";
import { createLike, ensurePrivateDir } from "./ownership.ts";

interface Identity {
  /** A UUID. */
  id: string;
  /** Without the device, which differs between hosts. */
  inode: string;
}

const uuid = /^[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}$/i;

/**
 * Returns the area's UUID, the same on every host and path; null if it has none, or that of the area it was copied
 * from.
 */
export function readAreaId(area: Area): string | null {
  const stored = readIdentity(join(area.privateDir, "area-id"));
  return stored !== undefined && stored.inode === inodeOf(area) ? stored.id : null;
}

/**
 * Returns the area's UUID, creating it if missing. Concurrent hosts get the same id; a copied area gets a new one.
 */
export function ensureAreaId(area: Area): string {
  const known = readAreaId(area);
  if (known !== null) return known;
  ensurePrivateDir(area);
  const file = join(area.privateDir, "area-id");
  const inode = inodeOf(area);
  const old = readIdentity(file);
  if (old?.inode === inode) return old.id;
  if (!exists(file)) return claim(file, { id: randomUUID(), inode }, area).id;
  // A copy: concurrent hosts first agree on the new id, in a file named after the old one that is never removed.
  const agreed = claim(
    join(area.privateDir, `area-id.${inode}.${old?.id ?? "damaged"}`),
    { id: randomUUID(), inode },
    area,
  );
  const temporary = writeTemporary(agreed, area);
  renameSync(temporary, file);
  syncDirectory(area.privateDir);
  return agreed.id;
}

function claim(path: string, identity: Identity, area: Area): Identity {
  const temporary = writeTemporary(identity, area);
  try {
    linkSync(temporary, path);
  } catch (error) {
    // NFS may report this for its own link: the file's content decides.
    if (systemCode(error) !== "EEXIST") throw error;
  } finally {
    unlinkSync(temporary);
  }
  syncDirectory(area.privateDir);
  const winner = readIdentity(path);
  if (winner === undefined) throw new JobsError("io", `${path} cannot be read back`);
  return winner;
}

function writeTemporary(identity: Identity, area: Area): string {
  const path = join(area.privateDir, `area-id.${randomUUID()}.tmp`);
  createLike(path, area.megatestDb, `${JSON.stringify(identity)}\n`);
  return path;
}

function readIdentity(path: string): Identity | undefined {
  if (!exists(path)) return undefined;
  const text = readBounded(path, { maxBytes: 4096, code: "corrupt" });
  try {
    const { id, inode } = JSON.parse(text) as Record<string, unknown>;
    if (typeof id === "string" && uuid.test(id) && typeof inode === "string") return { id, inode };
  } catch {
    // Damaged: treated as missing.
  }
  return undefined;
}

function exists(path: string): boolean {
  return statSync(path, { throwIfNoEntry: false }) !== undefined;
}

function inodeOf(area: Area): string {
  return String(statSync(area.realPath, { bigint: true }).ino);
}
