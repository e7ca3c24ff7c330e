/** Work on data that comes in pieces: what each piece gives (perhaps nothing yet), and what the end gives. */
export interface Transform<Result> {
  update(data: Uint8Array): Uint8Array<ArrayBuffer>;
  final(): Result;
}
