/** Words that never name a column or an alias without quotes, as far as expressions and join lists go. */
const reserved = new Set(
  `ALL AND AS BETWEEN BY CASE CAST COLLATE CROSS CURRENT CURRENT_DATE CURRENT_TIME CURRENT_TIMESTAMP DISTINCT ELSE END
  ESCAPE EXCEPT EXCLUDE EXISTS FILTER FOLLOWING FROM FULL GLOB GROUP GROUPS HAVING IN INDEXED INNER INTERSECT IS ISNULL
  JOIN LEFT LIKE LIMIT MATCH MATERIALIZED NATURAL NO NOT NOTNULL NULL NULLS OFFSET ON OR ORDER OTHERS OUTER OVER
  PARTITION PRECEDING RANGE RECURSIVE REGEXP RIGHT ROW ROWS SELECT THEN TIES UNBOUNDED UNION USING VALUES WHEN WHERE
  WINDOW WITH ASC DESC FIRST LAST TRUE FALSE`.split(/\s+/),
);

/** Keywords after which an expression may be complete, so that a word that follows is an alias. */
const complete = new Set(
  "END NULL TRUE FALSE CURRENT_DATE CURRENT_TIME CURRENT_TIMESTAMP ISNULL NOTNULL".split(" "),
);

/** True for a bare word, in upper case, that is syntax here and no name. */
export function isReserved(word: string): boolean {
  return reserved.has(word);
}

/** True for a keyword that ends an expression. */
export function endsExpression(word: string): boolean {
  return complete.has(word);
}
