"""Sign in and out."""

from typing import Any

from pyramid.httpexceptions import HTTPSeeOther
from pyramid.request import Request
from pyramid.security import forget, remember
from pyramid.view import forbidden_view_config, view_config

from boxoffice.accounts import services
from boxoffice.accounts.forms import SignInForm
from boxoffice.accounts.security import KEY


@forbidden_view_config()
def sign_in_first(request: Request) -> HTTPSeeOther:
    return HTTPSeeOther(request.route_path("sign_in"))


@view_config(route_name="sign_in", request_method=("GET", "POST"), renderer="sign_in.html")
def sign_in(request: Request) -> Any:
    form = SignInForm(request.POST)
    if request.method == "GET":
        return {"form": form, "problem": ""}
    problem = "Please fill in both fields."
    if form.validate():
        organiser = services.check_password(request.db, form.email.data, form.password.data)
        if organiser:
            headers = remember(request, services.start_login(request.db, organiser))
            return HTTPSeeOther(request.route_path("organiser"), headers=headers)
        problem = "This e-mail and this password do not belong together."
    request.response.status_int = 422
    return {"form": form, "problem": problem}


@view_config(route_name="sign_out", request_method="POST")
def sign_out(request: Request) -> HTTPSeeOther:
    token = request.session.get(KEY)
    if token:
        services.end_login(request.db, token)
    return HTTPSeeOther(request.route_path("home"), headers=forget(request))
