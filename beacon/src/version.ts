// Which tracker this is. In scope: the number of `package.json`, put in by the build. No imports, for the reason in `limit`.

declare const __VERSION__: string;

/** The version of the tracker. */
export const VERSION: string = __VERSION__;
