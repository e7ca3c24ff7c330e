/**
 * The same stream, once its first chunk is there: what fails before fails here, while the answer has not begun and the error still
 * has its code.
 */
export async function begun<B extends Uint8Array>(stream: ReadableStream<B>): Promise<ReadableStream<B>> {
  const reader = stream.getReader();
  let next: ReadableStreamReadResult<B> | undefined = await reader.read();
  return new ReadableStream<B>(
    {
      async pull(controller) {
        const read = next ?? (await reader.read());
        next = undefined;
        if (read.done) controller.close();
        else controller.enqueue(read.value);
      },
      cancel: (reason) => reader.cancel(reason),
    },
    { highWaterMark: 0 },
  );
}
