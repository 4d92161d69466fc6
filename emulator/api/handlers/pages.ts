import { invalidParameters } from "../errors";

const pageSize = 100;

/** A page token names the item that the page begins with, so that new items do not move the pages. */
const encode = (id: string) => Buffer.from(id).toString("base64url");
const decode = (token: string) => Buffer.from(token, "base64url").toString("utf8");

/** The page of a list that a token asks for, and the token of the next one. @throws ApiError 400 */
export function pageOf<T extends { readonly id: string }>(
  all: readonly T[],
  token: string | undefined,
): { page: T[]; next: string | null } {
  const first = token === undefined ? 0 : all.findIndex(({ id }) => id === decode(token));
  if (first < 0) throw invalidParameters("Error in request query at 'page_token': the token is not valid");
  const following = all[first + pageSize];
  return { page: all.slice(first, first + pageSize), next: following ? encode(following.id) : null };
}
