/** The IAM as a module of another unit of split operation (W15): that unit has its bindings then, and who asked the IAM asks that one. */

/** Units that it may be a module of. */
const IAM_HOSTS = ["app", "kms"] as const;
export type IamHost = (typeof IAM_HOSTS)[number];

/** As COFFER_IAM_IN says; undefined where it stands alone. Throws a sentence for what is no such unit. */
export function readIamHost(value: unknown): IamHost | undefined {
  const text = value === undefined ? "" : String(value);
  if (text === "") return undefined;
  const found = IAM_HOSTS.find((host) => host === text);
  if (found === undefined)
    throw new TypeError(`COFFER_IAM_IN is ${text.slice(0, 32)}, not ${IAM_HOSTS.join(" or ")}`);
  return found;
}

/** What of a unit's settings the launcher looks at: bindings by their names. */
type Settings = {
  bindings: Record<string, unknown>;
  serviceBindings: Record<string, { name: string }>;
  mtlsCertificates: Record<string, unknown>;
};

/** The settings of all units, with the IAM's in its host's. `nameOf`: of a unit's worker. */
export function withIamIn<S extends Settings>(
  units: Readonly<Record<string, S>>,
  host: IamHost,
  nameOf: (unit: string) => string,
): Record<string, S> {
  const { iam, ...others } = units;
  const at = others[host];
  if (iam === undefined || at === undefined) throw new Error("There is no such unit");
  const joined = { ...others, [host]: joinedSettings(at, iam) };
  const [from, to] = [nameOf("iam"), nameOf(host)];
  return Object.fromEntries(
    Object.entries(joined).map(([unit, settings]) => [
      unit,
      {
        ...settings,
        serviceBindings: Object.fromEntries(
          Object.entries(settings.serviceBindings).map(([binding, service]) => [
            binding,
            service.name === from ? { ...service, name: to } : service,
          ]),
        ),
      },
    ]),
  );
}

/** Every kind of binding that either has; of a variable that both have, the host's. */
function joinedSettings<S extends Settings>(host: S, module: S): S {
  const kinds = new Set([...Object.keys(host), ...Object.keys(module)]);
  const joined = [...kinds].map((kind) => {
    const [own, more] = [Reflect.get(host, kind), Reflect.get(module, kind)];
    const both = isTable(own) && isTable(more) ? { ...more, ...own } : (own ?? more);
    return [kind, both] as const;
  });
  return Object.assign({}, host, Object.fromEntries(joined));
}

function isTable(value: unknown): value is Record<string, unknown> {
  return typeof value === "object" && value !== null && !Array.isArray(value);
}
