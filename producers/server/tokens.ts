import { createHash, timingSafeEqual } from "node:crypto";
import { lstatSync, readFileSync, type Stats } from "node:fs";
import * as z from "zod";
import { JobsError } from "../../shared/errors.ts";
import { currentUser } from "../../shared/process.ts";
import { isUnexpanded, type Settings } from "../../shared/settings/settings.ts";
import { type Role, roles } from "../contract/roles.ts";
import { trustedTarget } from "./trusted-target.ts";

/** A token of the server, without its text. */
export interface AccessToken {
  /** For the log and the history. */
  name: string;
  role: Role;
  digest: Buffer;
  /** MTJOBS_TOKEN: several users may have it. */
  isShared: boolean;
}

/** Minimum characters of a token that cannot be guessed: at least 64 bits as random hexadecimal digits. */
export const shortestToken = 16;

const fileSchema = z.strictObject({
  tokens: z
    .array(
      z.strictObject({
        name: z.string().regex(/^[\w.+-]{1,64}$/, "must be 1 to 64 letters, digits or . + - _"),
        token: z
          .string()
          .min(shortestToken, `must have at least ${shortestToken} characters`)
          .refine(
            (text) => !isUnexpanded(text),
            "must be a value, and is the name of a variable that was not expanded",
          ),
        role: z.enum(roles),
      }),
    )
    .min(1),
});

const digest = (text: string) => createHash("sha256").update(text).digest();

/**
 * Returns the tokens that the server accepts: MTJOBS_TOKEN, which may do everything, and those of MTJOBS_TOKENS_FILE.
 *
 * @throws {JobsError} `bad-settings` if the file cannot be read, is not as described, or others may read it; if two tokens
 *   have the same text
 */
export function readTokens({ token, tokensFile }: Pick<Settings, "token" | "tokensFile">): AccessToken[] {
  const own =
    token === undefined
      ? []
      : [{ name: "MTJOBS_TOKEN", role: "admin" as const, digest: digest(token), isShared: true }];
  return tokensFile === undefined ? own : [...own, ...readFile(tokensFile, own)];
}

/** Returns true for a file that only its owner can read; or, if that is root, the server's own group. */
function isPrivate({ uid, gid, mode }: Stats): boolean {
  if ((mode & 0o077) === 0) return true;
  const isOfServer = [process.getegid?.(), ...(process.getgroups?.() ?? [])].includes(gid);
  return uid === 0 && isOfServer && (mode & 0o037) === 0;
}

function readFile(file: string, own: readonly AccessToken[]): AccessToken[] {
  const wrong = (problem: string, hint: string) =>
    new JobsError("bad-settings", `MTJOBS_TOKENS_FILE: ${file} ${problem}`, { hint });
  const path = isLink(file) ? followed(file, wrong) : file;
  const stat = lstatSync(path, { throwIfNoEntry: false });
  if (stat?.isFile() !== true) throw wrong("is not a regular file", "give the path of a JSON file");
  if (!isPrivate(stat)) throw wrong("can be read by other users", `chmod 600 ${path}`);
  if (![0, currentUser().uid].includes(stat.uid))
    throw wrong("belongs to another user", "it must belong to the user of the server, or to root");
  const parsed = fileSchema.safeParse(parseJson(path, wrong));
  if (!parsed.success) {
    // The message names the place and what it must be, never a value.
    const [issue] = parsed.error.issues;
    const problem = `is not as described: ${issue?.path.join(".")} ${issue?.message}`;
    throw wrong(problem, '{ "tokens": [ { "name": "ann", "token": "…", "role": "read" } ] }');
  }
  const { tokens } = parsed.data;
  const names = tokens.map(({ name }) => name);
  const twice = names.find((name, index) => names.indexOf(name) !== index);
  if (twice !== undefined) throw wrong(`names ${twice} twice`, "give each token a name of its own");
  const read = tokens.map(({ name, token, role }) => ({
    name,
    role,
    digest: digest(token),
    isShared: false,
  }));
  const all = [...own, ...read];
  const [same] = read.filter((each) => all.find(({ digest }) => digest.equals(each.digest)) !== each);
  if (same !== undefined)
    throw wrong(`gives ${same.name} the text of another token`, "make a new one: openssl rand -hex 16");
  return read;
}

const isLink = (file: string) => lstatSync(file, { throwIfNoEntry: false })?.isSymbolicLink() === true;

/** Kubernetes mounts a secret as a link to a link. */
function followed(file: string, wrong: (problem: string, hint: string) => JobsError): string {
  const hint =
    "links, and the directories on the way, must belong to root or the server's user, and only they may write there";
  try {
    const found = trustedTarget(file);
    if ("target" in found) return found.target;
    throw wrong(`is a link that is not trusted: ${found.problem}`, hint);
  } catch (error) {
    if (error instanceof JobsError) throw error;
    throw wrong(`is a link that cannot be followed: ${(error as Error).message}`, hint);
  }
}

function parseJson(file: string, wrong: (problem: string, hint: string) => JobsError): unknown {
  let text: string;
  try {
    text = readFileSync(file, "utf8");
  } catch (error) {
    throw wrong(`cannot be read: ${(error as Error).message}`, "correct its permissions");
  }
  try {
    return JSON.parse(text);
  } catch {
    // The parser's message quotes the file.
    throw wrong("is not JSON", '{ "tokens": [ { "name": "ann", "token": "…", "role": "read" } ] }');
  }
}

/** Finds the token with that text, in constant time, whatever its length. */
export function findToken(tokens: readonly AccessToken[], text: string): AccessToken | undefined {
  const given = digest(text);
  return tokens.filter((token) => timingSafeEqual(given, token.digest)).at(0);
}
