// A client that is made of the official document when it starts, by openapi-client-axios:
// node from_document.mjs DOCUMENT URL TOKEN APP. Prints one JSON object.
import { readFileSync } from 'node:fs'
import openapi from 'openapi-client-axios'

const { OpenAPIClientAxios } = openapi
const [document, url, token, app] = process.argv.slice(2)
const api = new OpenAPIClientAxios({
  definition: JSON.parse(readFileSync(document, 'utf8')),
  withServer: { url },
  axiosConfigDefaults: { headers: { Authorization: `FlyV1 ${token}` } },
})
const client = await api.init()
const call = async (operation, parameters, body) =>
  (await client[operation](parameters, body)).data
const seen = {}

await call('Apps_create', null, { name: app, org_slug: 'personal' })
seen.app = await call('Apps_show', { app_name: app })
const config = { image: 'host', init: { exec: ['sleep', '600'] }, restart: { policy: 'no' } }
const machine = await call('Machines_create', { app_name: app }, { config })
const at = { app_name: app, machine_id: machine.id }
seen.started = await call('Machines_wait', { ...at, state: 'started', timeout: 30 })
seen.ran = await call('Machines_exec', at, { command: ['echo', 'hello'] })
seen.versions = await call('Machines_list_versions', at)
const lease = await call('Machines_create_lease', at, { ttl: 60, description: 'a test' })
seen.lease = lease
await call('Machines_release_lease', { ...at, 'fly-machine-lease-nonce': lease.nonce })
await call('Machines_upsert_metadata', { ...at, key: 'color' }, { value: 'red' })
seen.metadata = await call('Machines_show_metadata', at)
seen.regions = await call('Platform_regions_get')
seen.placements = await call('Platform_placements_post', null, { org_slug: 'personal' })
seen.secret = await call('Secret_create', { app_name: app, secret_name: 'PASSWORD' }, { value: 'x' })
seen.secrets = await call('Secrets_list', { app_name: app })
seen.token = await call('App_create_deploy_token', { app_name: app }, { expiry: '1h' })
seen.current = await call('CurrentToken_show')
seen.org = await call('Machines_org_list', { org_slug: 'personal' })
seen.ip = await call('App_IPAssignments_create', { app_name: app }, { type: 'shared_v4' })
await call('Machines_delete', { ...at, force: true })
seen.destroyed = await call('Machines_wait', { ...at, state: 'destroyed', timeout: 30 })
await call('Apps_delete', { app_name: app })
console.log(JSON.stringify(seen))
