# Makes the database of the Redmine of the tests, its people and its projects.
ActiveRecord::Migration.verbose = false
ActiveRecord::MigrationContext.new(Rails.root.join('db/migrate').to_s, ActiveRecord::SchemaMigration).migrate
ActiveRecord::Base.descendants.each(&:reset_column_information)
Setting.clear_cache
Redmine::DefaultData::Loader.load('en')
Setting.rest_api_enabled = '1'

admin_key, key = ENV.fetch('BOARD_KEYS').split
admin = User.find_by!(login: 'admin')
admin.update!(must_change_passwd: false)
ann = User.new(firstname: 'Ann', lastname: 'Ash', mail: 'ann@example.com')
ann.login = 'ann'
ann.password = ann.password_confirmation = 'of no use here'
ann.save!
{ admin => admin_key, ann => key }.each do |user, value|
  Token.create!(user_id: user.id, action: 'api').update_column(:value, value)
end

shop = Project.create!(name: 'Shop', identifier: 'shop', is_public: true, trackers: Tracker.all)
Project.create!(name: 'Secret', identifier: 'secret', is_public: false, trackers: Tracker.all)
Member.create!(project: shop, user_id: ann.id, roles: [Role.find_by!(name: 'Developer')])

query = IssueQuery.new(name: 'closed', visibility: Query::VISIBILITY_PUBLIC, user: admin)
query.filters = { 'status_id' => { operator: 'c', values: [''] } }
query.save!
