"""API tokens become digests (shop.api.tokens), each in its row: programs go on with the tokens that they have.

A digest cannot be turned back, so undoing this migration leaves rows that no token fits: draw new ones then
(`drf_create_token USER --reset`).
"""

from django.db import migrations

# Keep of every token what shop.api.tokens.digest makes of it. There are a few rows, one a program.
HASH_TOKENS = "UPDATE authtoken_token SET key = left(encode(sha256(convert_to(key, 'UTF8')), 'hex'), 40)"


class Migration(migrations.Migration):
    initial = True
    dependencies = [("authtoken", "0004_alter_tokenproxy_options")]
    operations = [migrations.RunSQL(HASH_TOKENS, migrations.RunSQL.noop)]
