/** What a method of a part is given, for a door that passes it on. */
export type Arguments<T, K extends keyof T> = T[K] extends (...given: infer A) => unknown ? A : never;
