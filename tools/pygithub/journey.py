"""What a program does with PyGithub about accounts: who am I, organizations, members, teams,
repositories and their collaborators.

    journey.py URL TOKEN USER ORG FRIEND [AUTHORITY]

TOKEN (repo, admin:org, delete_repo) is of USER, who owns ORG; FRIEND is somebody else.
"""

import sys

from github import Auth, Github, GithubException, UnknownObjectException

url, token, user, org, friend = sys.argv[1:6]
authority = sys.argv[6] if len(sys.argv) > 6 else True
api = Github(base_url=f"{url}/api/v3", auth=Auth.Token(token), verify=authority, per_page=2)


def expect(found, wanted):
    assert found == wanted, f"{found!r}, not {wanted!r}"


def absent(question):
    try:
        question()
    except UnknownObjectException as error:
        expect(error.status, 404)
    else:
        raise AssertionError("it is there")


def people():
    me = api.get_user()
    expect(me.login, user)
    expect(api.get_user(friend).type, "User")
    expect([found.login for found in me.get_orgs()], [org])
    absent(lambda: api.get_user("nobody-at-all").login)


def organization():
    found = api.get_organization(org)
    expect(found.login, org)
    expect([member.login for member in found.get_members()], [user])
    someone = api.get_user(friend)
    found.add_to_members(someone, role="member")
    expect(sorted(member.login for member in found.get_members()), sorted([user, friend]))
    assert found.has_in_members(someone)
    return found


def team(found):
    made = found.create_team("Sea Pilots", description="They know the harbour", privacy="closed")
    expect(made.slug, "sea-pilots")
    expect([one.slug for one in found.get_teams()], ["sea-pilots"])
    made.add_membership(api.get_user(friend), role="member")
    expect(made.get_team_membership(friend).role, "member")
    expect(sorted(member.login for member in made.get_members()), sorted([friend]))
    made.edit("Sea Pilots", description="They know every harbour")
    expect(found.get_team_by_slug("sea-pilots").description, "They know every harbour")
    return made


def repository(found, pilots):
    made = found.create_repo("charts", description="Where it is deep", private=True)
    expect(made.full_name, f"{org}/charts")
    expect([one.name for one in found.get_repos()], ["charts"])
    made.edit(description="Where it is deep enough")
    expect(api.get_repo(f"{org}/charts").description, "Where it is deep enough")
    made.add_to_collaborators(friend, permission="push")
    assert made.has_in_collaborators(friend)
    expect(made.get_collaborator_permission(friend), "write")
    pilots.update_team_repository(made, "pull")
    expect([one.name for one in pilots.get_repos()], ["charts"])
    expect([one.slug for one in made.get_teams()], ["sea-pilots"])
    pilots.remove_from_repos(made)
    made.remove_from_collaborators(friend)
    made.delete()
    absent(lambda: api.get_repo(f"{org}/charts").id)


def leave(found, pilots):
    pilots.delete()
    expect(list(found.get_teams()), [])
    found.remove_from_membership(api.get_user(friend))
    expect([member.login for member in found.get_members()], [user])


def mistakes():
    stranger = Github(base_url=f"{url}/api/v3", auth=Auth.Token("ghp_wrong"), verify=authority)
    try:
        stranger.get_user().login
    except GithubException as error:
        expect(error.status, 401)
        expect(error.data["message"], "Bad credentials")
    else:
        raise AssertionError("a wrong token is taken")


people()
company = organization()
pilots = team(company)
repository(company, pilots)
leave(company, pilots)
mistakes()
print("PyGithub is content")
