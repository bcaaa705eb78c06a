// A real OpenID Connect provider that gives tokens for the asking: `node provider.mjs MODULE PORT ISSUER`.
//
// Each start makes new keys. The resource that a token is asked for says what it is like: `urn:token:<algorithm>:<seconds>:<audience>`.
import { generateKeyPairSync, randomUUID } from 'node:crypto';
import { pathToFileURL } from 'node:url';

const [module, port, issuer] = process.argv.slice(2);
const { default: Provider } = await import(pathToFileURL(module));

const key = (alg, kind, options) => {
  const { privateKey } = generateKeyPairSync(kind, options);
  return { ...privateKey.export({ format: 'jwk' }), alg, use: 'sig', kid: randomUUID() };
};
const client = (id) => ({
  client_id: id, client_secret: 'secret', grant_types: ['client_credentials'], redirect_uris: [], response_types: [],
});
const groups = { auditor: ['auditors', 'staff'], developer: ['staff'], master: ['system:masters'] };

const provider = new Provider(issuer, {
  clients: Object.keys(groups).map(client),
  jwks: {
    keys: [
      key('RS256', 'rsa', { modulusLength: 2048 }),
      key('ES256', 'ec', { namedCurve: 'P-256' }),
      key('EdDSA', 'ed25519'),
      key('PS256', 'rsa', { modulusLength: 2048 }),
    ],
  },
  features: {
    devInteractions: { enabled: false },
    clientCredentials: { enabled: true },
    resourceIndicators: {
      enabled: true,
      getResourceServerInfo: (ctx, resource) => {
        const [, , alg, seconds, audience] = resource.split(':');
        return { scope: '', audience, accessTokenTTL: Number(seconds), accessTokenFormat: 'jwt', jwt: { sign: { alg } } };
      },
    },
  },
  extraTokenClaims: (ctx, token) => ({ groups: groups[token.clientId] }),
});
provider.listen(Number(port), '127.0.0.1');
