// A module knows the token that it was loaded under from its own address.

/** "/static/1718539201234/": where this release's assets lie. */
export const prefix = new URL("..", import.meta.url).pathname;

/** The token itself: the last segment of the prefix. */
export const token = prefix.split("/").at(-2);

/** The moment that a minted token stands for, or null for one that an operator chose. */
export function mintedAt() {
    return /^[0-9]{1,15}$/.test(token) ? new Date(Number(token)) : null;
}

/** The prefix under another token, `shift` milliseconds away, or null when there is no such order. */
export function shiftedPrefix(shift) {
    const minted = mintedAt();
    if (shift === 0) {
        return prefix;
    }
    if (minted === null) {
        return null;
    }
    const other = String(minted.getTime() + shift);
    return prefix.slice(0, -token.length - 1) + other + "/";
}
