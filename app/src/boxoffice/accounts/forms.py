from wtforms import Form, PasswordField, StringField
from wtforms.validators import InputRequired, Length


class SignInForm(Form):
    email = StringField("E-mail", [InputRequired("Please fill in your e-mail."), Length(max=190)])
    password = PasswordField(
        "Password", [InputRequired("Please fill in your password."), Length(max=1000)]
    )
