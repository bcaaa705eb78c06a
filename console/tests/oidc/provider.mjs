// A real OpenID Connect provider that gives tokens for the asking: `node provider.mjs MODULE PORT ISSUER [PAGES [SECONDS [TOKENS]]]`.
//
// Each start makes new keys. The resource that a token is asked for says what it is like: `urn:token:<algorithm>:<seconds>:<audience>`.
// PAGES is the URL of a console whose pages sign people in as the public client `vedette`, with ID tokens good for SECONDS: whoever gives
// a name and any password is that person, and in the groups of the client of that name. With the port TOKENS, the provider says that tokens
// are there: at another origin than everything else, as with Google.
import { generateKeyPairSync, randomUUID } from 'node:crypto';
import { createServer } from 'node:http';
import { pathToFileURL } from 'node:url';

const [module, port, issuer, pages, seconds = '600', tokens] = process.argv.slice(2);
const { default: Provider } = await import(pathToFileURL(module));

const key = (alg, kind, options) => {
  const { privateKey } = generateKeyPairSync(kind, options);
  return { ...privateKey.export({ format: 'jwk' }), alg, use: 'sig', kid: randomUUID() };
};
const client = (id) => ({
  client_id: id, client_secret: 'secret', grant_types: ['client_credentials'], redirect_uris: [], response_types: [],
});
const publicClient = {
  client_id: 'vedette', token_endpoint_auth_method: 'none', grant_types: ['authorization_code', 'refresh_token'], response_types: ['code'],
  redirect_uris: [`${pages}/signed-in`],
};
const groups = { auditor: ['auditors', 'staff'], developer: ['staff'], master: ['system:masters'] };

const provider = new Provider(issuer, {
  clients: [...Object.keys(groups).map(client), ...(pages ? [publicClient] : [])],
  jwks: {
    keys: [
      key('RS256', 'rsa', { modulusLength: 2048 }),
      key('ES256', 'ec', { namedCurve: 'P-256' }),
      key('EdDSA', 'ed25519'),
      key('PS256', 'rsa', { modulusLength: 2048 }),
    ],
  },
  features: {
    devInteractions: { enabled: Boolean(pages) },
    clientCredentials: { enabled: true },
    resourceIndicators: {
      enabled: true,
      getResourceServerInfo: (ctx, resource) => {
        const [, , alg, ttl, audience] = resource.split(':');
        return { scope: '', audience, accessTokenTTL: Number(ttl), accessTokenFormat: 'jwt', jwt: { sign: { alg } } };
      },
    },
  },
  // Of people, as the pages ask for them.
  claims: { openid: ['sub', 'groups'], profile: ['name'], email: ['email'] },
  conformIdTokenClaims: false,
  findAccount: (ctx, id) => ({
    accountId: id, claims: () => ({ sub: id, name: id, email: `${id}@example.org`, groups: groups[id] ?? [] }),
  }),
  clientBasedCORS: (ctx, origin) => origin === pages,
  issueRefreshToken: (ctx, client) => client.grantTypeAllowed('refresh_token'),
  ttl: { IdToken: Number(seconds) },
  extraTokenClaims: (ctx, token) => ({ groups: groups[token.clientId] }),
});
if (tokens) {
  provider.use(async (ctx, next) => {
    await next();
    if (ctx.path === '/.well-known/openid-configuration') ctx.body.token_endpoint = `http://127.0.0.1:${tokens}/token`;
  });
  createServer(provider.callback()).listen(Number(tokens), '127.0.0.1');
}
provider.listen(Number(port), '127.0.0.1');
