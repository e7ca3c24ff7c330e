/** Type and subtype of a Content-Type (RFC 9110 §8.3.1), in lower case, without parameters; empty where there is none. */
export function mediaTypeOf(contentType: string | null | undefined): string {
  const [essence = ""] = (contentType ?? "").split(";", 1);
  return essence.trim().toLowerCase();
}
