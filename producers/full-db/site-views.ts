import { type Connection, quoteName } from "../../shared/sqlite/connection.ts";
import { isNotUnderstood } from "../../shared/sqlite/site-schema.ts";
import { tokenize } from "../../shared/sqlite/tokens.ts";
import { respell } from "./rewrite/legacy-syntax.ts";

/** A view that the site made in main. */
export interface SiteView {
  name: string;
  /** As SQLite stores it: `CREATE VIEW name …`. */
  sql: string;
}

export function readSiteViews(db: Connection): SiteView[] {
  return db
    .prepare<[], SiteView>("SELECT name, sql FROM main.sqlite_schema WHERE type = 'view' ORDER BY rowid")
    .all();
}

/**
 * Makes the views again in temp, from which they find those of full-db mode: one in main reads main alone. One that
 * SQLite does not understand stays as it is.
 *
 * @returns the statements
 */
export function createSiteViews(db: Connection, views: readonly SiteView[]): string[] {
  return views.flatMap(({ name, sql }) => {
    const [, word] = tokenize(sql);
    const text = `CREATE TEMP VIEW${sql.slice(word?.end)}`;
    for (const spelled of [text, respell(db, text, tokenize(text))]) {
      if (tryView(db, name, spelled)) return [`${spelled}\n;`];
    }
    return [];
  });
}

/** Names are looked up only when it is read. */
function tryView(db: Connection, name: string, sql: string): boolean {
  const view = `temp.${quoteName(name)}`;
  try {
    db.prepare(sql).run();
    try {
      db.prepare(`SELECT * FROM ${view}`);
      return true;
    } catch (error) {
      db.exec(`DROP VIEW ${view}`);
      throw error;
    }
  } catch (error) {
    if (isNotUnderstood(error)) return false;
    throw error;
  }
}
