// What a program does with octokit, with its plugins for paging, retries and throttling as they
// come: reads accounts, packages and versions, deletes and restores, and sees its mistakes.
//
//   NARU_URL, NARU_TOKEN: where, and as whom (write:packages, delete:packages, repo, admin:org)
//   NARU_USER: whose token it is, with three packages: `one`, `a/b` and `last`. `one` and `a/b`
//   have four tagged versions; `last` has one, tagged `only`
//   NARU_ORG: an organization that this user owns, with a package `team/app` of four versions

import assert from "node:assert/strict";
import { Octokit } from "octokit";

const { NARU_URL: url, NARU_TOKEN: auth, NARU_USER: username, NARU_ORG: org } = process.env;
const octokit = new Octokit({
  baseUrl: `${url}/api/v3`,
  auth,
  log: { debug() {}, info() {}, warn: console.error, error() {} },
});
const { rest } = octokit;
const container = { package_type: "container" };

/** The error that a request ends with. */
async function refused(request, status, words) {
  await assert.rejects(request, (error) => {
    assert.equal(error.status, status, `${error.status}: ${error.message}`);
    assert.match(error.message, words);
    return true;
  });
}

async function accounts() {
  const { data: me, headers } = await rest.users.getAuthenticated();
  assert.equal(me.login, username);
  assert.match(headers["x-oauth-scopes"], /delete:packages/);
  const { data: user } = await rest.users.getByUsername({ username });
  assert.equal(user.type, "User");
  const { data: organization } = await rest.orgs.get({ org });
  assert.equal(organization.login, org);
  const { data: behind } = await rest.users.getByUsername({ username: org });
  assert.equal(behind.type, "Organization");
  const members = await octokit.paginate(rest.orgs.listMembers, { org, per_page: 1 });
  assert.deepEqual(members.map((member) => member.login), [username]);
  const { data: meta } = await rest.meta.get();
  assert.equal(typeof meta.installed_version, "string");
  const { viewer } = await octokit.graphql("query { viewer { login } }");
  assert.equal(viewer.login, username);
}

async function lists() {
  const mine = await octokit.paginate(rest.packages.listPackagesForAuthenticatedUser, {
    ...container,
    per_page: 1,
  });
  assert.deepEqual(mine.map((one) => one.name).sort(), ["a/b", "last", "one"]);
  assert.ok(mine.every((one) => one.visibility === "private"));
  const theirs = await octokit.paginate(rest.packages.listPackagesForUser, {
    ...container,
    username,
    per_page: 2,
  });
  assert.deepEqual(theirs.map((one) => one.id), mine.map((one) => one.id));
  await refused(rest.packages.listPackagesForOrganization({ org: username, ...container }), 404, /Not Found/);
}

/** The versions of `owner`'s package: newest first, paged, one by one; deleted and restored. */
async function versions(name, owner, calls) {
  const where = { ...container, ...owner, package_name: name };
  const { data: whole } = await calls.get(where);
  assert.equal(whole.version_count, 4);
  const found = await octokit.paginate(calls.versions, { ...where, per_page: 3 });
  assert.deepEqual(found.map((one) => one.metadata.container.tags), [["4"], ["3"], ["2"], ["1"]]);
  const oldest = found.at(-1);
  const one = { ...where, package_version_id: oldest.id };
  const { data: same, headers } = await calls.version(one);
  assert.deepEqual(same, oldest);
  await refused(calls.version({ ...one, headers: { "if-none-match": headers.etag } }), 304, /Not modified/i);

  assert.equal((await calls.remove(one)).status, 204);
  await refused(calls.version(one), 404, /Not Found|Package not found/);
  await refused(calls.remove(one), 404, /Not Found|Package not found/);
  const gone = await octokit.paginate(calls.versions, { ...where, state: "deleted" });
  assert.deepEqual(gone.map((version) => version.id), [oldest.id]);
  assert.equal((await calls.restore(one)).status, 204);
  assert.deepEqual((await calls.version(one)).data.metadata.container.tags, ["1"]);
}

async function deletions() {
  const last = { ...container, username, package_name: "last" };
  const { data } = await rest.packages.getAllPackageVersionsForPackageOwnedByUser(last);
  const only = { ...last, package_version_id: data[0].id };
  await refused(rest.packages.deletePackageVersionForUser(only), 400, /last tagged version/);
  assert.equal((await rest.packages.deletePackageForUser(last)).status, 204);
  await refused(rest.packages.getPackageForUser(last), 404, /Not Found|Package not found/);
  assert.equal((await rest.packages.restorePackageForUser(last)).status, 204);
  assert.equal((await rest.packages.getPackageForUser(last)).data.name, "last");
}

const forUser = {
  get: rest.packages.getPackageForUser,
  versions: rest.packages.getAllPackageVersionsForPackageOwnedByUser,
  version: rest.packages.getPackageVersionForUser,
  remove: rest.packages.deletePackageVersionForUser,
  restore: rest.packages.restorePackageVersionForUser,
};
const forMyself = {
  get: rest.packages.getPackageForAuthenticatedUser,
  versions: rest.packages.getAllPackageVersionsForPackageOwnedByAuthenticatedUser,
  version: rest.packages.getPackageVersionForAuthenticatedUser,
  remove: rest.packages.deletePackageVersionForAuthenticatedUser,
  restore: rest.packages.restorePackageVersionForAuthenticatedUser,
};
const forOrganization = {
  get: rest.packages.getPackageForOrganization,
  versions: rest.packages.getAllPackageVersionsForPackageOwnedByOrg,
  version: rest.packages.getPackageVersionForOrganization,
  remove: rest.packages.deletePackageVersionForOrg,
  restore: rest.packages.restorePackageVersionForOrg,
};

await accounts();
await lists();
await versions("one", { username }, forUser);
await versions("a/b", {}, forMyself);
await versions("team/app", { org }, forOrganization);
await deletions();
console.log("octokit is content");
