// What npm's fly-admin sees of a Machines API: node fly_admin.mjs URL TOKEN APP
// Prints one JSON object; a call that fails ends it with the client's own error.
import flyAdmin from 'fly-admin'

const { createClient } = flyAdmin
const [url, token, app] = process.argv.slice(2)
const fly = createClient(token)
fly.apiUrl = url
const seen = {}

await fly.App.createApp({ app_name: app, org_slug: 'personal' })
seen.app = await fly.App.getApp(app)
seen.apps = (await fly.App.listApps('personal')).apps.map((one) => one.name)

const config = {
  image: 'host',
  init: { exec: ['sleep', '600'] },
  restart: { policy: 'no' },
  metadata: { made_by: 'fly-admin' },
}
const machine = await fly.Machine.createMachine({ app_name: app, name: 'web', config })
const at = { app_name: app, machine_id: machine.id }
const reaches = (state, more = {}) =>
  fly.Machine.waitMachine({ ...at, state, timeout: '30s', ...more })
seen.created = machine
seen.started = await reaches('started')
seen.listed = (await fly.Machine.listMachines(app)).map((one) => one.id)
seen.processes = await fly.Machine.listProcesses(at)
seen.lease = await fly.Machine.acquireLease({ ...at, ttl: 3600 })
seen.held = await fly.Machine.getLease(at)
await pass(3601)
seen.unleased = await fly.Machine.getLease(at).catch((error) => error.message)
seen.cordoned = await fly.Machine.cordonMachine(at)
seen.uncordoned = await fly.Machine.uncordonMachine(at)
seen.signalled = await fly.Machine.signalMachine({ ...at, signal: 'SIGTERM' })
await reaches('stopped', { instance_id: machine.instance_id })
seen.restarted = await fly.Machine.startMachine(at)
await reaches('started')
await fly.Machine.restartMachine({ ...at, timeout: '5s' })
await reaches('started')
const updated = await fly.Machine.updateMachine({
  ...at,
  config: { ...config, env: { VERSION: '2' } },
})
seen.updated = updated
await reaches('started', { instance_id: updated.instance_id })
seen.versions = (await fly.Machine.listVersions(at)).map((one) => one.version)
seen.stopped = await fly.Machine.stopMachine(at)
await reaches('stopped', { instance_id: updated.instance_id })
seen.events = (await fly.Machine.listEvents(at)).map((one) => one.type)

const volume = await fly.Volume.createVolume({ app_name: app, name: 'data', region: machine.region, size_gb: 1 })
seen.volume = volume
seen.extended = await fly.Volume.extendVolume({ app_name: app, volume_id: volume.id, size_gb: 2 })
seen.volumes = (await fly.Volume.listVolumes(app)).map((one) => one.id)
seen.snapshots = await fly.Volume.listSnapshots({ app_name: app, volume_id: volume.id })
seen.deletedVolume = await fly.Volume.deleteVolume({ app_name: app, volume_id: volume.id })

seen.destroyed = await fly.Machine.deleteMachine({ ...at, force: true })
await reaches('destroyed')
seen.gone = (await fly.Machine.getMachine(at)).state
await fly.App.deleteApp(app)
try {
  await fly.App.getApp(app)
} catch (error) {
  seen.missing = error.message
}
console.log(JSON.stringify(seen))

// The platform's clock is put ahead: a lease that is short enough to wait for may end too soon.
async function pass(seconds) {
  const headers = { Authorization: `Bearer ${token}`, 'Content-Type': 'application/json' }
  const body = JSON.stringify({ seconds })
  const answer = await fetch(`${url}/ephemera/testing/clock`, { method: 'POST', headers, body })
  if (!answer.ok) throw new Error(`the clock was not moved: ${answer.status}`)
}
